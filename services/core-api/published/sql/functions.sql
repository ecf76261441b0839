-- Commands that cross from another service (deploy/contracts.md). They run as their owner: what they check is all that is checked.

-- An agent proposes, out of a support ticket, to refund a line of the learner's order or to extend its enrolment. Nothing
-- moves: somebody else decides (approvals/). The same proposal again, while it waits, is the same.
CREATE OR REPLACE FUNCTION published.propose(
    ticket uuid, agent uuid, learner uuid, kind text, order_line uuid, days integer, reason text
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bought record;
    made core.approvals_approval;
BEGIN
    IF NOT EXISTS (SELECT FROM published.principal p
                    WHERE p.user_id = agent AND p.is_active AND 'support.answer' = ANY (p.permissions)) THEN
        RAISE EXCEPTION 'not an agent' USING ERRCODE = 'LC403';
    END IF;
    SELECT l.order_id, l.price, l.refunded_at, e.id AS enrolment_id, e.ended_at INTO bought
      FROM core.wallet_orderline l
      JOIN core.wallet_order o ON o.id = l.order_id
      JOIN core.learning_enrolment e ON e.order_line_id = l.id
     WHERE l.id = propose.order_line AND o.user_id = learner;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the learner has no such order line' USING ERRCODE = 'LC404';
    ELSIF bought.refunded_at IS NOT NULL OR bought.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'the line is refunded, or its enrolment over' USING ERRCODE = 'LC409';
    END IF;
    made.id := gen_random_uuid();
    made.kind := propose.kind;
    made.state := 'pending';
    made.person_id := learner;
    made.ticket_id := ticket;
    made.proposed_by_id := agent;
    made.proposed_at := clock_timestamp();
    made.reason := propose.reason;
    made.note := '';
    IF propose.kind = 'refund' THEN
        made.order_id := bought.order_id;
        made.lines := jsonb_build_array(propose.order_line);
        made.amount := bought.price;
    ELSIF propose.kind = 'extension' AND propose.days BETWEEN 1 AND 366 THEN
        made.enrolment_id := bought.enrolment_id;
        made.days := propose.days;
    ELSE
        RAISE EXCEPTION 'no such proposal' USING ERRCODE = 'LC422';
    END IF;
    INSERT INTO core.approvals_approval SELECT made.* ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT a.* INTO made FROM core.approvals_approval a
         WHERE a.state = 'pending' AND a.kind = propose.kind
           AND (a.order_id, a.lines, a.enrolment_id, a.days)
               IS NOT DISTINCT FROM (made.order_id, made.lines, made.enrolment_id, made.days);
        IF NOT FOUND THEN
            RAISE EXCEPTION 'another proposal about it waits' USING ERRCODE = 'LC410';
        END IF;
        RETURN made.id;
    END IF;
    INSERT INTO core.audit_event (id, at, kind, actor_id, subject_type, subject_id, request_id, detail)
    VALUES (gen_random_uuid(), clock_timestamp(), 'approval_asked', agent, 'accounts.user', learner::text, '',
            jsonb_build_object('approval', made.id, 'what', made.kind, 'ticket', ticket, 'reason', made.reason));
    RETURN made.id;
END $$;
REVOKE ALL ON FUNCTION published.propose(uuid, uuid, uuid, text, uuid, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION published.propose(uuid, uuid, uuid, text, uuid, integer, text) TO lectern_chat;

-- What agents proposed out of one ticket, and what became of it: for the ticket's agents.
CREATE OR REPLACE FUNCTION published.proposals(ticket uuid)
    RETURNS TABLE (approval_id uuid, kind text, state text, order_line uuid, days integer, amount bigint, reason text,
                   proposed_by uuid, proposed_at timestamp with time zone, decided_at timestamp with time zone, note text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.id, a.kind::text, a.state::text, coalesce((a.lines ->> 0)::uuid, e.order_line_id), a.days::int, a.amount,
           a.reason::text, a.proposed_by_id, a.proposed_at, a.decided_at, a.note::text
      FROM core.approvals_approval a
      LEFT JOIN core.learning_enrolment e ON e.id = a.enrolment_id
     WHERE a.ticket_id = proposals.ticket
     ORDER BY a.proposed_at, a.id
$$;
REVOKE ALL ON FUNCTION published.proposals(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION published.proposals(uuid) TO lectern_chat;

-- Chat has no way to send mail: it hands one over in its own transaction, and core's worker sends it within a minute. `mail`
-- is its id: the same one again is the same mail. False: there is nobody to write to any more, or they want no mails of that kind.
CREATE OR REPLACE FUNCTION published.queue_mail(mail uuid, person uuid, kind text, subject text, body text)
    RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF queue_mail.kind NOT IN ('ticket_unread', 'ticket_closes') OR length(queue_mail.subject) > 150
       OR length(queue_mail.body) > 2000 OR queue_mail.subject ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'no such mail' USING ERRCODE = 'LC422';
    END IF;
    INSERT INTO core.mail_mail (id, user_id, kind, "to", subject, text, status, attempts, next_attempt_at, error, created_at)
    SELECT queue_mail.mail, u.id, queue_mail.kind, u.email, queue_mail.subject, queue_mail.body, 'waiting', 0,
           clock_timestamp(), '', clock_timestamp()
      FROM core.accounts_user u WHERE u.id = queue_mail.person AND u.is_active AND u.erased_at IS NULL
       AND (u.chat_mails OR queue_mail.kind <> 'ticket_unread')
    ON CONFLICT (id) DO NOTHING;
    RETURN FOUND;
END $$;
REVOKE ALL ON FUNCTION published.queue_mail(uuid, uuid, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION published.queue_mail(uuid, uuid, text, text, text) TO lectern_chat;
