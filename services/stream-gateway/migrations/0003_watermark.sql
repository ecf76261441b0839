-- What a player draws over the picture, so that a leaked recording tells whose it is (published/create.sql makes the codes).
ALTER TABLE stream.playback_session
    ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY (MAXVALUE 4294967295), -- short enough for a code of 12 characters
    ADD COLUMN active_s integer NOT NULL DEFAULT 0 CHECK (active_s >= 0);        -- how long its player asked for files

CREATE UNIQUE INDEX playback_session_number ON stream.playback_session (number);

-- One secret for each installation. It stays in the database, so that a restored backup still reads the codes of before.
CREATE TABLE stream.watermark_key (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    secret   bytea NOT NULL CHECK (octet_length(secret) = 32)
);
INSERT INTO stream.watermark_key (secret)
SELECT sha256(decode(replace(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
