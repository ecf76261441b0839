-- Makes Lectern's roles and schemas in the current database. Run by a superuser with psql; may be run again:
--   psql -v ON_ERROR_STOP=1 -f roles.sql
-- with the six roles' passwords in the environment (never on the command line, where every process could read them).
-- Each service has an owner (its migrations) and a runtime role that owns nothing.
\set QUIET on
\getenv core_owner LECTERN_CORE_OWNER_PASSWORD
\getenv core LECTERN_CORE_PASSWORD
\getenv stream_owner LECTERN_STREAM_OWNER_PASSWORD
\getenv stream LECTERN_STREAM_PASSWORD
\getenv chat_owner LECTERN_CHAT_OWNER_PASSWORD
\getenv chat LECTERN_CHAT_PASSWORD
SET client_min_messages = warning;
SET log_statement = 'none'; -- passwords follow

SELECT format('CREATE ROLE %I LOGIN', name)
  FROM unnest(ARRAY['lectern_core_owner', 'lectern_core', 'lectern_stream_owner', 'lectern_stream',
                    'lectern_chat_owner', 'lectern_chat']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE lectern_core_owner   PASSWORD :'core_owner';
ALTER ROLE lectern_core         PASSWORD :'core';
ALTER ROLE lectern_stream_owner PASSWORD :'stream_owner';
ALTER ROLE lectern_stream       PASSWORD :'stream';
ALTER ROLE lectern_chat_owner   PASSWORD :'chat_owner';
ALTER ROLE lectern_chat         PASSWORD :'chat';

SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO lectern_core_owner, lectern_core, lectern_stream_owner, lectern_stream, lectern_chat_owner, lectern_chat', current_database()) \gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA IF NOT EXISTS core   AUTHORIZATION lectern_core_owner;
CREATE SCHEMA IF NOT EXISTS published AUTHORIZATION lectern_core_owner;
CREATE SCHEMA IF NOT EXISTS stream AUTHORIZATION lectern_stream_owner;
CREATE SCHEMA IF NOT EXISTS stream_published AUTHORIZATION lectern_stream_owner;
CREATE SCHEMA IF NOT EXISTS chat   AUTHORIZATION lectern_chat_owner;
CREATE SCHEMA IF NOT EXISTS chat_published AUTHORIZATION lectern_chat_owner;

GRANT USAGE ON SCHEMA core   TO lectern_core;
GRANT USAGE ON SCHEMA stream TO lectern_stream;
GRANT USAGE ON SCHEMA chat   TO lectern_chat;
GRANT USAGE ON SCHEMA published TO lectern_core, lectern_stream, lectern_chat;
GRANT USAGE ON SCHEMA stream_published TO lectern_stream, lectern_core;
GRANT USAGE ON SCHEMA chat_published TO lectern_chat, lectern_core;

-- What an owner's migration makes, its runtime role may use.
ALTER DEFAULT PRIVILEGES FOR ROLE lectern_core_owner   IN SCHEMA core   GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO lectern_core;
ALTER DEFAULT PRIVILEGES FOR ROLE lectern_core_owner   IN SCHEMA core   GRANT USAGE, SELECT ON SEQUENCES TO lectern_core;
ALTER DEFAULT PRIVILEGES FOR ROLE lectern_stream_owner IN SCHEMA stream GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO lectern_stream;
ALTER DEFAULT PRIVILEGES FOR ROLE lectern_stream_owner IN SCHEMA stream GRANT USAGE, SELECT ON SEQUENCES TO lectern_stream;
ALTER DEFAULT PRIVILEGES FOR ROLE lectern_chat_owner   IN SCHEMA chat   GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO lectern_chat;
ALTER DEFAULT PRIVILEGES FOR ROLE lectern_chat_owner   IN SCHEMA chat   GRANT USAGE, SELECT ON SEQUENCES TO lectern_chat;

-- Unqualified names mean a role's own schema, whatever a client asks for.
SELECT format('ALTER ROLE %I IN DATABASE %I SET search_path = %I', role, current_database(), own)
  FROM (VALUES ('lectern_core_owner', 'core'), ('lectern_core', 'core'),
               ('lectern_stream_owner', 'stream'), ('lectern_stream', 'stream'),
               ('lectern_chat_owner', 'chat'), ('lectern_chat', 'chat')) AS paths (role, own) \gexec
SELECT format('ALTER ROLE %I SET timezone = ''UTC''', role)
  FROM unnest(ARRAY['lectern_core_owner', 'lectern_core', 'lectern_stream_owner', 'lectern_stream',
                    'lectern_chat_owner', 'lectern_chat']) AS role \gexec
