-- NOTIFY access_changed for whatever shrinks somebody's access, in the transaction that shrinks it; for nothing else (but see Support),
-- since a notification makes commits wait for each other (deploy/design.md, section 1). The payload is the person's
-- UUID, or empty: everybody. PostgreSQL sends equal payloads of one transaction once.

-- The trigger's argument names the column of the old row (of a new one where there is none) that holds the person.
CREATE FUNCTION core.access_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('access_changed', CASE WHEN TG_NARGS = 0 THEN '' ELSE coalesce(to_jsonb(OLD), to_jsonb(NEW)) ->> TG_ARGV[0] END);
    RETURN NULL;
END $$;

-- People
CREATE TRIGGER access_changed AFTER UPDATE ON core.accounts_user FOR EACH ROW
    WHEN (OLD.is_active AND NOT NEW.is_active OR OLD.is_superuser AND NOT NEW.is_superuser
          OR OLD.is_staff AND NOT NEW.is_staff OR OLD.generation <> NEW.generation
          OR OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL)
    EXECUTE FUNCTION core.access_changed('id');
CREATE TRIGGER access_changed_deleted AFTER DELETE ON core.accounts_user FOR EACH ROW
    EXECUTE FUNCTION core.access_changed('id');
CREATE TRIGGER access_changed AFTER UPDATE ON core.accounts_loginsession FOR EACH ROW
    WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
    EXECUTE FUNCTION core.access_changed('user_id');
CREATE TRIGGER access_changed_deleted AFTER DELETE ON core.accounts_loginsession FOR EACH ROW
    WHEN (OLD.ended_at IS NULL)
    EXECUTE FUNCTION core.access_changed('user_id');

-- Roles and permissions
CREATE TRIGGER access_changed AFTER UPDATE OR DELETE ON core.accounts_user_groups FOR EACH ROW
    EXECUTE FUNCTION core.access_changed('user_id');
CREATE TRIGGER access_changed AFTER UPDATE OR DELETE ON core.accounts_user_user_permissions FOR EACH ROW
    EXECUTE FUNCTION core.access_changed('user_id');
CREATE TRIGGER access_changed AFTER UPDATE OR DELETE ON core.auth_group_permissions FOR EACH ROW
    EXECUTE FUNCTION core.access_changed();
CREATE TRIGGER access_changed AFTER UPDATE ON core.auth_group FOR EACH ROW -- what is called `learner` is everybody's
    WHEN (OLD.name <> NEW.name)
    EXECUTE FUNCTION core.access_changed();

-- Courses
CREATE TRIGGER access_changed AFTER UPDATE ON core.learning_enrolment FOR EACH ROW
    WHEN (OLD.ended_at IS NULL
          AND (NEW.ended_at IS NOT NULL OR NEW.valid_until < OLD.valid_until
               OR OLD.valid_until IS NULL AND NEW.valid_until IS NOT NULL
               OR OLD.user_id <> NEW.user_id OR OLD.course_id <> NEW.course_id))
    EXECUTE FUNCTION core.access_changed('user_id');
CREATE TRIGGER access_changed_deleted AFTER DELETE ON core.learning_enrolment FOR EACH ROW
    WHEN (OLD.ended_at IS NULL)
    EXECUTE FUNCTION core.access_changed('user_id');
CREATE TRIGGER access_changed AFTER UPDATE ON core.courses_lesson FOR EACH ROW
    WHEN (OLD.is_preview AND NOT NEW.is_preview -- or it opens later than it did
          OR coalesce(NEW.opens_on > coalesce(OLD.opens_on, '-infinity'), false)
          OR coalesce(NEW.opens_after_days, 0) > coalesce(OLD.opens_after_days, 0))
    EXECUTE FUNCTION core.access_changed();
CREATE TRIGGER access_changed_deleted AFTER DELETE ON core.courses_lesson FOR EACH ROW
    EXECUTE FUNCTION core.access_changed();
CREATE TRIGGER access_changed AFTER UPDATE ON core.courses_course FOR EACH ROW -- its previews close
    WHEN (OLD.status = 'published' AND NEW.status <> 'published')
    EXECUTE FUNCTION core.access_changed();
CREATE TRIGGER access_changed AFTER UPDATE OR DELETE ON core.courses_course_instructors FOR EACH ROW
    EXECUTE FUNCTION core.access_changed('user_id');
CREATE TRIGGER access_changed AFTER DELETE ON core.media_attachment FOR EACH ROW
    EXECUTE FUNCTION core.access_changed();

-- Support: here also what an agent gains. Who gets which ticket is then decided anew at once, and nobody but a support lead
-- changes these rows, a few times a day.
CREATE TRIGGER access_changed AFTER DELETE ON core.support_agent FOR EACH ROW
    EXECUTE FUNCTION core.access_changed('user_id');
CREATE TRIGGER access_changed_capacity AFTER UPDATE ON core.support_agent FOR EACH ROW
    WHEN (OLD.capacity <> NEW.capacity)
    EXECUTE FUNCTION core.access_changed('user_id');
CREATE TRIGGER access_changed AFTER INSERT OR UPDATE OR DELETE ON core.support_skill FOR EACH ROW
    EXECUTE FUNCTION core.access_changed('agent_id');
