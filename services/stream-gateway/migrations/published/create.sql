-- What the other services may see and do (deploy/contracts.md), made anew by every `migrate`, in one transaction.
CREATE VIEW stream_published.playback_session AS
SELECT id AS playback_id,
       user_id,
       lesson_id,
       package_id,
       kind,
       started_at,
       last_seen_at,
       -- Nothing runs when a session falls idle or expires: it is over all the same.
       coalesce(ended_at, CASE WHEN over_at <= now() THEN over_at END) AS ended_at,
       coalesce(end_reason, CASE WHEN over_at <= now() THEN 'idle' END) AS end_reason,
       client_address,
       user_agent,
       active_s
  FROM stream.playback_session;

-- Ends one for an admin; true if it was playing. The next segment is refused within a second.
CREATE FUNCTION stream_published.end_playback(playback_id uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    viewer uuid;
BEGIN
    UPDATE stream.playback_session AS session
       SET ended_at = now(), end_reason = 'admin'
     WHERE session.id = end_playback.playback_id
       AND session.ended_at IS NULL
       AND session.over_at > now()
    RETURNING session.user_id INTO viewer;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM pg_notify('access_changed', coalesce(viewer::text, ''));
    RETURN true;
END
$$;

CREATE VIEW stream_published.upload AS
SELECT id, owner, size, finished_at, taken_at, created_at, metadata
  FROM stream.upload
 WHERE taken_at IS NOT NULL OR expires_at > now(); -- nothing runs at the moment when one expires

-- Makes a finished upload core-api's, in core-api's transaction; true if it was the owner's, whole and not taken yet.
CREATE FUNCTION stream_published.take_upload(upload_id uuid, owner uuid) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH taken AS (
        UPDATE stream.upload AS upload
           SET taken_at = now(), expires_at = NULL
         WHERE upload.id = take_upload.upload_id
           AND upload.owner = take_upload.owner
           AND upload.finished_at IS NOT NULL
           AND upload.expires_at > now() -- null, once it is taken
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM taken)
$$;

REVOKE ALL ON FUNCTION stream_published.end_playback(uuid), stream_published.take_upload(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stream_published.end_playback(uuid), stream_published.take_upload(uuid, uuid) TO lectern_core;
GRANT SELECT ON stream_published.playback_session, stream_published.upload TO lectern_core;

-- A watermark's code: 40 bits that name a session and its five minutes, under a signature of 20 bits that also masks them, so
-- that codes follow no pattern, nobody can make one up for somebody else (1 in a million), and none has to be kept. 12 letters
-- and digits of Crockford's base 32, which has no I, L, O and U.
CREATE FUNCTION stream.watermark_hash(purpose text, value bigint) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ -- NMAC's shape: hashed twice with the secret, so that nothing can be appended
    SELECT ('x' || left(encode(sha256(secret || sha256(secret || convert_to(purpose || value, 'UTF8'))), 'hex'), 15))::bit(60)::bigint
      FROM stream.watermark_key
$$;

CREATE FUNCTION stream.watermark_code(session_number bigint, slot integer) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT regexp_replace(
             string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (code >> (5 * place) & 31)::integer + 1, 1), '' ORDER BY place DESC),
             '(....)(?=.)', '\1-', 'g')
      FROM (SELECT session_number << 8 | slot AS plain) AS given,
           LATERAL (SELECT stream.watermark_hash('signature', plain) & x'fffff'::bigint AS signature) AS signed,
           LATERAL (SELECT signature << 40 | (plain # stream.watermark_hash('mask', signature) & x'ffffffffff'::bigint) AS code) AS masked,
           generate_series(0, 11) AS place
$$;

-- Whose picture carried the code, and when; no row for one that was never given out or is older than what is kept.
CREATE FUNCTION stream_published.watermark_owner(code text)
    RETURNS TABLE (playback_id uuid, shown_from timestamptz, shown_until timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH typed AS ( -- as people type it: small letters, O for 0, with or without dashes
        SELECT translate(upper(regexp_replace(code, '[^0-9A-Za-z]', '', 'g')), 'OIL', '011') AS letters
    ), number AS (
        SELECT bit_or((strpos('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substr(letters, place, 1)) - 1)::bigint << (5 * (12 - place))) AS value
          FROM typed, generate_series(1, 12) AS place
         WHERE letters ~ '^[0-9A-HJKMNP-TV-Z]{12}$'
    ), opened AS (
        SELECT value >> 40 AS signature,
               (value # stream.watermark_hash('mask', value >> 40)) & x'ffffffffff'::bigint AS plain
          FROM number
    )
    SELECT session.id, session.started_at + slot * interval '5 minutes', session.started_at + (slot + 1) * interval '5 minutes'
      FROM opened, LATERAL (SELECT (plain & 255)::integer AS slot) AS minutes, stream.playback_session AS session
     WHERE session.number = plain >> 8
       AND stream.watermark_hash('signature', plain) & x'fffff'::bigint = signature
$$;

REVOKE ALL ON FUNCTION stream_published.watermark_owner(text), stream.watermark_hash(text, bigint),
                       stream.watermark_code(bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stream_published.watermark_owner(text) TO lectern_core;
GRANT EXECUTE ON FUNCTION stream.watermark_code(bigint, integer) TO lectern_stream;
REVOKE ALL ON stream.watermark_key FROM lectern_stream;

-- The record of migrations is the owner's alone.
REVOKE ALL ON stream._yoyo_migrations, stream._yoyo_log, stream._yoyo_version FROM lectern_stream;
