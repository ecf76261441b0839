-- What somebody is uploading, or has uploaded for a lesson to take. The bytes are in received/<id> below LECTERN_UPLOADS_ROOT, and
-- how many there are is what the file system says: no number here could be wrong after a power cut.
CREATE TABLE stream.upload (
    id              uuid PRIMARY KEY,                     -- version 7: in order of time; the file's whole name
    owner           uuid NOT NULL,
    size            bigint NOT NULL CHECK (size >= 0),    -- as declared; bytes
    metadata        text NOT NULL CHECK (char_length(metadata) <= 2000), -- Upload-Metadata as it came: names that people typed
    unverified_from bigint,                               -- what lies behind it has a checksum that was not compared yet
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz,
    finished_at     timestamptz,                          -- all of it is there
    taken_at        timestamptz,                          -- core-api made it a lesson's video: from then on the file is core-api's

    CONSTRAINT unverified_within_its_size CHECK (unverified_from BETWEEN 0 AND size),
    CONSTRAINT only_a_finished_one_is_taken CHECK (taken_at IS NULL OR finished_at IS NOT NULL),
    CONSTRAINT a_taken_one_stays CHECK ((taken_at IS NULL) = (expires_at IS NOT NULL))
);

CREATE INDEX upload_of_owner ON stream.upload (owner);
CREATE INDEX upload_expiring ON stream.upload (expires_at) WHERE taken_at IS NULL;
