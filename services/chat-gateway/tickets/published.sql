-- What the other services may read (deploy/contracts.md). Recreated by every `migrate`.
CREATE VIEW chat_published.ticket_count AS
SELECT category_id, state::text AS state, count(*) AS tickets FROM chat.ticket GROUP BY category_id, state;

CREATE VIEW chat_published.ticket AS
SELECT id AS ticket_id, number, learner_id, assignee_id, category_id, subject::text AS subject, state::text AS state,
       created_at, closed_at
  FROM chat.ticket;

GRANT SELECT ON chat_published.ticket_count, chat_published.ticket TO lectern_core;
