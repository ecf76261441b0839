"""The ffmpeg commands that make a package's films: HLS tracks, then the progressive MP4 of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from media import ffmpeg
from media.probe import Probe, Refused
from media.renditions import Rendition, Timing
from media.sound import Measured, levelled, make_even, measure

SLOWEST = 40  # times the video's length, before encoding is given up
EVEN = "even.mka"
MISSING = 0.05  # of a file's length may be missing at its end, and always 2 s
# Whoever does not say otherwise means BT.2020's colours, which high range comes in (ITU-R BT.2100).
UNTOLD = "setparams=colorspace=bt2020nc:color_primaries=bt2020"
# Brought to standard range: linear light, BT.709's colours, the highlights rolled off (Hable), BT.709's curve.
TO_SDR = "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv"


def encode(
    source: Path,
    folder: Path,
    found: Probe,
    renditions: list[Rendition],
    timing: Timing,
    on_part: Callable[[float], None],
) -> None:
    """Writes the tracks of `renditions`, and of the sound, to `folder`. `on_part` is told the part that is done, 0 to 1.

    One ffmpeg for everything: the source is decoded once. Frames come at one constant rate from time 0 on. Pictures and
    sound are equally long, since a player stops where one of them ends. Raises Refused, FfmpegFailed, Stopped.
    """
    measured = measure(source, found)
    check_complete(found.duration_s, measured.whole_s)
    whole_s = float(max(1, round(measured.whole_s * timing.rate)) / timing.rate)
    graph = [f"[0:V:0]{_pictures(found, renditions[0], timing, whole_s)},{_branches(renditions)}"]
    graph += [f"[{r.height}]scale={r.width}:{r.height},setsar=1,format=yuv420p[v{r.height}]" for r in renditions]
    threads = str(ffmpeg.THREADS)
    arguments: list[str | Path] = ["-threads", threads, *ffmpeg.FROM_STRANGERS, "-i", source]
    arguments += ["-filter_complex_threads", threads, "-filter_complex", ";".join(graph)]
    if found.has_audio:
        arguments += _sound(source, folder, found, measured, whole_s)
    for rendition in renditions:
        arguments += ["-map", f"[v{rendition.height}]", *_h264(rendition, timing), *_hls(rendition.name, timing)]
    if found.has_audio:
        aac = ["-c:a", "aac", "-b:a", "128k", "-ac", "2"]
        arguments += ["-map", "[audio]", *aac, *_hls("audio", timing)]

    def on_time(seconds: float) -> None:
        on_part(min(1.0, seconds / whole_s))

    ffmpeg.run(arguments, timeout_s=600 + SLOWEST * whole_s, folder=folder, on_time=on_time)
    (folder / EVEN).unlink(missing_ok=True)


def _sound(source: Path, folder: Path, found: Probe, measured: Measured, whole_s: float) -> list[str | Path]:
    """The end of ffmpeg's inputs, and the graph that ends in [audio].

    It is one of its own: where the pictures change their size, ffmpeg begins theirs anew, and a sound with them would come again
    after a silence from time 0 on. Where the sound itself changes, it is made even first; the original is read all the same, since
    ffmpeg counts from the earlier one of the tracks that it reads.
    """
    track = f"0:a:{found.audio}"
    if measured.steady:
        return ["-filter_complex", f"[{track}]{levelled(measured.gain, whole_s)}[audio]"]
    gain = make_even(source, found, folder / EVEN)
    same_time = ["-map", track, "-c", "copy", "-f", "null", "-"]
    graph = f"[1:a:1]{levelled(gain, whole_s)}[audio]"
    return [*ffmpeg.FROM_US, "-i", EVEN, "-filter_complex", graph, *same_time]


def check_complete(said_s: float, reached_s: float) -> None:
    """Raises Refused where much of what the file says it has is not there; a spoilt end is left out."""
    if reached_s <= 0:
        raise Refused("The video has no length.")
    if reached_s < said_s - max(2, said_s * MISSING):
        raise Refused(
            f"The file ends after {reached_s:.0f} s, though it says that it has {said_s:.0f} s. It is damaged or not complete:"
            " export or upload it again."
        )


def _pictures(found: Probe, largest: Rendition, timing: Timing, whole_s: float) -> str:
    filters = ["bwdif=mode=send_frame:deint=interlaced"] if found.interlaced else []
    filters.append(f"fps={timing.rate}:start_time=0")
    # Where the pictures end before the sound, the last one stays. (Between two frames, and not half-way, since ffmpeg rounds it
    # to whole ones: none is added or taken.)
    filters.append(f"tpad=stop=-1:stop_mode=clone,trim=end={whole_s - float(1 / timing.rate) / 4:.6f}")
    if not found.colours_told:
        filters.append(UNTOLD)
    if found.hdr:  # no larger than needed: it is slow
        filters += [f"scale={largest.width}:{largest.height}", TO_SDR, "format=yuv420p"]
    return ",".join(filters)


def _branches(renditions: list[Rendition]) -> str:
    return f"split={len(renditions)}{''.join(f'[{r.height}]' for r in renditions)}"


def _h264(rendition: Rendition, timing: Timing) -> list[str]:
    """Equal key frames in all renditions: a fixed GOP, closed, and none where the scene changes."""
    quality = ["-preset", settings.ENCODING_PRESET, "-crf", "23", "-profile:v", "high"]
    rate = ["-maxrate", f"{rendition.kbit}k", "-bufsize", f"{2 * rendition.kbit}k"]
    frames = f"keyint={timing.gop}:min-keyint={timing.gop}:scenecut=0:open-gop=0"
    return ["-c:v", "libx264", *quality, *rate, "-x264-params", frames, "-threads", str(ffmpeg.THREADS)]


def _hls(name: str, timing: Timing) -> list[str]:
    segments = ["-hls_time", f"{float(timing.segment_s):.6f}", "-hls_playlist_type", "vod"]
    files = ["-hls_fmp4_init_filename", f"{name}-init.mp4", "-hls_segment_filename", f"{name}-%05d.m4s"]
    # No metadata: a phone writes into a video where it was made.
    plain = ["-map_metadata", "-1", "-map_chapters", "-1"]
    return [*plain, "-f", "hls", *segments, "-hls_segment_type", "fmp4", *files, f"{name}.m3u8"]


def join(folder: Path, best: Rendition, found: Probe) -> None:
    """The progressive MP4: the best rendition and the sound as they are, in one file, its index first."""
    inputs = [*ffmpeg.FROM_US, "-i", f"{best.name}.m3u8"]
    tracks = ["-map", "0:v:0"]
    if found.has_audio:
        inputs += [*ffmpeg.FROM_US, "-i", "audio.m3u8"]
        tracks += ["-map", "1:a:0"]
    output = ["-c", "copy", "-map_metadata", "-1", "-movflags", "+faststart", "progressive.mp4"]
    ffmpeg.run([*inputs, *tracks, *output], timeout_s=600 + found.duration_s, folder=folder)
