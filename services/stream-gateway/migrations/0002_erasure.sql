-- Who is erased here. `settled`: also what was being written while they were. Another erased_at, after a restored backup, is
-- another erasure.
CREATE TABLE stream.erasure (
    user_id   uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL,                       -- core-api's time
    settled   boolean NOT NULL
);

-- An erased person's sessions keep their times, for the figures, and lose where and with what they were watched.
ALTER TABLE stream.playback_session
    ADD COLUMN erased_at timestamptz,
    ALTER COLUMN client_address DROP NOT NULL,
    ADD CONSTRAINT only_an_erased_one_has_no_address CHECK ((client_address IS NULL) = (erased_at IS NOT NULL)),
    ADD CONSTRAINT an_erased_one_is_over CHECK (erased_at IS NULL OR ended_at IS NOT NULL AND user_agent = '');
