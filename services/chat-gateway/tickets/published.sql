-- What the other services may read (deploy/contracts.md). Recreated by every `migrate`.
CREATE VIEW chat_published.ticket_count AS
SELECT category_id, state::text AS state, count(*) AS tickets FROM chat.ticket GROUP BY category_id, state;

CREATE VIEW chat_published.ticket AS
SELECT id AS ticket_id, number, learner_id, assignee_id, category_id, subject::text AS subject, state::text AS state,
       created_at, closed_at, lesson_id, order_id
  FROM chat.ticket;

-- Everything that is kept here about one person, for their export: the rows of each kind as JSON, in order of time.
-- Messages: all of their own tickets, and what they wrote in those of others. A function, since core-api needs one
-- person's rows and no look at everybody's.
CREATE FUNCTION chat_published.held_about(person uuid) RETURNS TABLE (kind text, record json)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'tickets', json_build_object(
               'id', t.id, 'number', t.number, 'category', t.category_slug, 'subject', t.subject, 'state', t.state,
               'priority', t.priority, 'lesson', t.lesson_id, 'order', t.order_id, 'agent', t.assignee_username,
               'created_at', t.created_at, 'queued_at', t.queued_at, 'closed_at', t.closed_at,
               'first_response_at', t.first_response_at, 'rating', t.rating, 'rating_comment', t.rating_comment,
               'rated_at', t.rated_at)
      FROM (SELECT * FROM chat.ticket WHERE learner_id = person ORDER BY number) t
    UNION ALL
    SELECT 'messages', json_build_object(
               'ticket', m.ticket_id, 'seq', m.seq, 'id', m.id, 'sender', m.sender_username,
               'own', m.sender_id = person, 'message', m.body, 'timestamp', m.created_at)
      FROM (SELECT m.* FROM chat.message m JOIN chat.ticket t ON t.id = m.ticket_id WHERE t.learner_id = person
            UNION
            SELECT m.* FROM chat.message m WHERE m.sender_id = person
            ORDER BY id) m
    UNION ALL -- those that the person wrote; those about the person are between agents
    SELECT 'notes', json_build_object(
               'ticket', n.ticket_id, 'note_seq', n.seq, 'id', n.id, 'note', n.body, 'timestamp', n.created_at)
      FROM (SELECT * FROM chat.note WHERE sender_id = person ORDER BY id) n
    UNION ALL
    SELECT 'attachments', json_build_object(
               'ticket', a.ticket_id, 'id', a.id, 'name', a.name, 'size', a.size, 'content_type', a.content_type,
               'state', a.state, 'own', a.uploader_id = person, 'created_at', a.created_at,
               'address', '/chat/v1/attachments/' || a.id || '/')
      FROM (SELECT a.* FROM chat.attachment a JOIN chat.ticket t ON t.id = a.ticket_id
             WHERE a.uploader_id = person
                OR t.learner_id = person AND EXISTS (SELECT FROM chat.message m WHERE m.attachment_id = a.id)
            ORDER BY a.id) a
    UNION ALL
    SELECT 'read_marks', json_build_object('ticket', r.ticket_id, 'seq', r.seq)
      FROM chat.read_cursor r WHERE r.user_id = person
    UNION ALL
    SELECT 'mails', json_build_object('ticket', u.ticket_id, 'up_to', u.mailed_seq, 'at', u.mailed_at)
      FROM chat.unread_mail u WHERE u.user_id = person AND u.mailed_at IS NOT NULL
    UNION ALL
    SELECT 'assignments', json_build_object(
               'ticket', a.ticket_id, 'reason', a.reason, 'at', a.at,
               'had_it_then', a.agent_id IS NOT DISTINCT FROM person, 'own_doing', a.actor_id IS NOT DISTINCT FROM person,
               'over_capacity', a.over_capacity)
      FROM (SELECT * FROM chat.assignment WHERE agent_id = person OR actor_id = person ORDER BY id) a
    UNION ALL
    SELECT 'presence', json_build_object('status', a.status, 'counts_until', a.lease_until, 'last_given_at', a.assigned_at)
      FROM chat.agent_status a WHERE a.user_id = person
$$;

REVOKE ALL ON FUNCTION chat_published.held_about(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION chat_published.held_about(uuid) TO lectern_core;
GRANT SELECT ON chat_published.ticket_count, chat_published.ticket TO lectern_core;
