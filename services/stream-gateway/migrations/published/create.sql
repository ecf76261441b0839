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
       user_agent
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

REVOKE ALL ON FUNCTION stream_published.end_playback(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stream_published.end_playback(uuid) TO lectern_core;
GRANT SELECT ON stream_published.playback_session TO lectern_core;

-- The record of migrations is the owner's alone.
REVOKE ALL ON stream._yoyo_migrations, stream._yoyo_log, stream._yoyo_version FROM lectern_stream;
