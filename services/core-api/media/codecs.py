"""What ffmpeg may decode of a stranger's file: nothing else is opened, since each decoder is a door."""

from __future__ import annotations

CONTAINERS = "mov,matroska,webm,avi,mpegts,mpeg"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# As ffmpeg names codecs in its descriptions.
VIDEO = _names("h264 hevc av1 vp8 vp9 mpeg4 mpeg2video mpeg1video mjpeg prores dnxhd dvvideo h263 msmpeg4v3 vc1 wmv3")
AUDIO = _names(
    "aac mp3 mp2 opus vorbis flac alac ac3 eac3 dts amr_nb amr_wb wmav2 "
    "pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_u8 pcm_alaw pcm_mulaw"
)
_DECODERS = _names(  # whose names differ from the codecs'; which of them there are depends on how ffmpeg was built
    "libdav1d libaom-av1 libvpx libvpx-vp9 mp3float mp2float dca "
    "amrnb amrwb libopencore_amrnb libopencore_amrwb libopus libvorbis"
)
WHITELIST = ",".join(sorted(VIDEO | AUDIO | _DECODERS))
