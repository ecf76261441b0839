-- Run before the numbered migrations, in their transaction: a column under a view could not be altered.
DROP FUNCTION IF EXISTS stream_published.end_playback(uuid);
DROP VIEW IF EXISTS stream_published.playback_session;
DROP FUNCTION IF EXISTS stream_published.watermark_owner(text);
DROP FUNCTION IF EXISTS stream.watermark_code(bigint, integer);
DROP FUNCTION IF EXISTS stream.watermark_hash(text, bigint);
DROP FUNCTION IF EXISTS stream_published.take_upload(uuid, uuid);
DROP VIEW IF EXISTS stream_published.upload;
