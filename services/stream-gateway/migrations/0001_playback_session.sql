-- Who plays what, from where, since when. A session that ended keeps its row: the admin site shows it.
CREATE TABLE stream.playback_session (
    id             uuid PRIMARY KEY,                      -- version 7: in order of time
    user_id        uuid,                                  -- null: a free preview, open to its cookie alone
    lesson_id      uuid NOT NULL,
    package_id     uuid NOT NULL,                         -- the one it began with: viewers of a replaced video finish it
    kind           text NOT NULL CHECK (kind IN ('hls', 'progressive', 'preview')),
    login_session  uuid,                                  -- the token's `sid` at the start
    generation     integer,                               -- the token's `gen` at the start
    cookie_hash    bytea CHECK (octet_length(cookie_hash) = 32), -- SHA-256; the secret itself is nowhere
    client_address inet NOT NULL,
    user_agent     text NOT NULL CHECK (char_length(user_agent) <= 300),
    started_at     timestamptz NOT NULL DEFAULT now(),
    last_seen_at   timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    over_at        timestamptz NOT NULL,                  -- ends by itself then, unless it is seen again before
    ended_at       timestamptz,
    end_reason     text CHECK (end_reason IN ('superseded', 'viewer', 'admin', 'access_ended', 'idle')),

    CONSTRAINT an_end_has_a_reason CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT a_preview_is_nobodys CHECK ((kind = 'preview') = (user_id IS NULL)),
    CONSTRAINT a_person_has_a_login CHECK ((user_id IS NULL) = (login_session IS NULL)
                                           AND (user_id IS NULL) = (generation IS NULL)),
    CONSTRAINT only_a_progressive_one_has_no_cookie CHECK ((kind = 'progressive') = (cookie_hash IS NULL)),
    CONSTRAINT expires_after_its_start CHECK (expires_at > started_at AND over_at <= expires_at)
);

-- The limit of one learner, and the progressive session to take up again.
CREATE INDEX playback_session_of_user ON stream.playback_session (user_id, last_seen_at) WHERE ended_at IS NULL;
CREATE INDEX playback_session_progressive ON stream.playback_session (user_id, lesson_id, started_at) WHERE kind = 'progressive';
-- How many previews an address began.
CREATE INDEX playback_session_of_address ON stream.playback_session (client_address, started_at) WHERE kind = 'preview';
-- A person's own history, newest first, for the admin site and the export of a person's data.
CREATE INDEX playback_session_history ON stream.playback_session (user_id, started_at);
