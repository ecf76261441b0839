"""What the demo's courses say."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DemoLesson:
    title: str
    body: str = ""
    is_preview: bool = False
    picture: str = ""  # ffmpeg's filter graph of the background; empty: an article
    size: tuple[int, int] = (640, 360)
    spoken: list[tuple[str, str]] = field(default_factory=list)  # captions: English, German


@dataclass(frozen=True)
class DemoCourse:
    slug: str
    title: str
    summary: str
    description: str
    price: int
    category: tuple[str, str]  # slug, name
    level: str
    sections: dict[str, list[DemoLesson]]


VIDEO = DemoCourse(
    slug="how-video-works",
    title="How Video Works: Pixels, Frames and Segments",
    summary="From a grid of numbers to a stream that survives a bad connection, in an afternoon.",
    description=(
        "Every film you watch online is cut into small pieces, thrown away for the most part, and put together again "
        "on your screen thirty times a second. This course takes that machine apart.\n\n"
        "You will know what a codec keeps and what it drops, why a key frame every two seconds matters, and what "
        "happens between pressing play and seeing the first picture. No mathematics beyond division."
    ),
    price=40,
    category=("media", "Media"),
    level="beginner",
    sections={
        "The moving picture": [
            DemoLesson(
                "Pixels and frames",
                is_preview=True,
                picture="gradients=s=320x180:r=25:d={seconds}:n=4:seed=7:speed=0.02,scale={size}:flags=bicubic",
                size=(1280, 720),
                spoken=[
                    ("A picture is a grid of numbers.", "Ein Bild ist ein Gitter aus Zahlen."),
                    ("Show twenty-five of them a second", "Zeigt man fünfundzwanzig davon je Sekunde,"),
                    ("and the eye sees one thing that moves.", "sieht das Auge ein Ding, das sich bewegt."),
                    (
                        "One second of this, raw, is a tenth of a CD.",
                        "Eine Sekunde davon, roh, füllt eine CD zu einem Zehntel.",
                    ),
                    ("So most of it has to go.", "Das meiste muss also weg."),
                    ("The next lesson says what.", "Die nächste Lektion sagt, was."),
                ],
            ),
            DemoLesson(
                "What compression throws away",
                picture="mandelbrot=s=320x180:r=25:maxiter=80:end_scale=0.02:end_pts=600,trim=duration={seconds},"
                "scale={size}:flags=bicubic",
                spoken=[
                    ("Look at the edge of this shape.", "Schauen Sie auf den Rand dieser Form."),
                    ("Your eye follows it, and forgets the rest.", "Ihr Auge folgt ihm und vergisst den Rest."),
                    ("A codec does the same.", "Ein Codec macht es genauso."),
                    ("It keeps what moved", "Er behält, was sich bewegt hat,"),
                    ("and describes the rest by pointing back.", "und verweist sonst auf das Bild davor."),
                    ("Now and then it starts afresh: a key frame.", "Ab und zu fängt er neu an: ein Schlüsselbild."),
                ],
            ),
            DemoLesson(
                "Key frames, in writing",
                body=(
                    "# Key frames\n\n"
                    "A **key frame** stands for itself; every other frame says only what changed. A player can begin "
                    "at key frames alone, so their distance decides how fast it can jump, and change quality.\n\n"
                    "- Two seconds apart is common.\n"
                    "- All qualities must have them at the same places, or the picture jumps when the quality changes.\n"
                    "- Closer together costs bandwidth; further apart costs patience.\n"
                ),
            ),
        ],
        "On the way to the viewer": [
            DemoLesson(
                "Segments and bit rates",
                picture="life=s=160x90:r=25:mold=12:life_color=#5fd7a8:death_color=#223344:seed=11,"
                "trim=duration={seconds},scale={size}:flags=neighbor",
                spoken=[
                    ("Six seconds: that is one segment.", "Sechs Sekunden: das ist ein Segment."),
                    ("Each exists in several qualities.", "Jedes gibt es in mehreren Qualitäten."),
                    ("The player measures as it loads,", "Der Player misst beim Laden"),
                    ("and picks the next one to fit.", "und wählt das nächste passend aus."),
                    ("A train goes into a tunnel:", "Ein Zug fährt in den Tunnel:"),
                    ("the picture gets coarse, but it goes on.", "das Bild wird grob, aber es läuft weiter."),
                ],
            ),
            DemoLesson(
                "Where to go from here",
                body=(
                    "# Where to go from here\n\n"
                    "Open your browser's network tools while a lesson plays. You will see the playlist, then one "
                    "segment after another. Slow the connection down there, and watch the height in their names change."
                ),
            ),
        ],
    },
)

SOUND = DemoCourse(
    slug="sound-from-wave-to-listener",
    title="Sound, from Wave to Listener",
    summary="What a microphone hears, what a file keeps, and how loud is loud enough.",
    description=(
        "Listeners forgive a soft picture. They do not forgive bad sound. This course explains the little one has to "
        "know to record speech that is pleasant to listen to: pitch, level, and the room around you.\n\n"
        "You need a pair of headphones and curiosity."
    ),
    price=60,
    category=("audio", "Audio"),
    level="intermediate",
    sections={
        "A wave in the air": [
            DemoLesson(
                "Hearing a wave",
                is_preview=True,
                picture="gradients=s=320x180:r=25:d={seconds}:n=3:seed=21:type=circular:speed=0.015,"
                "scale={size}:flags=bicubic",
                spoken=[
                    ("Sound is air that swings.", "Schall ist Luft, die schwingt."),
                    ("Swing faster: a higher tone.", "Schneller schwingen: ein höherer Ton."),
                    ("Swing wider: a louder one.", "Weiter schwingen: ein lauterer."),
                    ("That is all there is to it,", "Das ist schon alles,"),
                    ("and all of music is made of it.", "und alle Musik besteht daraus."),
                    ("Listen to the steps once more.", "Hören Sie die Stufen noch einmal."),
                ],
            ),
            DemoLesson(
                "Pitch and frequency",
                picture="cellauto=s=214x120:r=25:rule=110:seed=5,trim=duration={seconds},scale={size}:flags=neighbor",
                spoken=[
                    ("Two hundred and twenty swings a second: an A.", "220 Schwingungen je Sekunde: ein A."),
                    ("Twice as many is the A above.", "Doppelt so viele sind das A darüber."),
                    ("A voice is many tones at once.", "Eine Stimme ist vieles zugleich."),
                    ("Its consonants live high up,", "Ihre Konsonanten liegen weit oben,"),
                    ("and that is where clarity is won", "und dort gewinnt man Klarheit"),
                    ("or lost to a cheap telephone.", "oder verliert sie am billigen Telefon."),
                ],
            ),
        ],
        "Recording speech": [
            DemoLesson(
                "A room is an instrument",
                body=(
                    "# A room is an instrument\n\n"
                    "Clap once. What you hear after the clap is the room, and it is in every word you record.\n\n"
                    "1. Books, curtains and coats swallow it. A wardrobe is a good studio.\n"
                    "2. Halve the distance to the microphone, and the room is half as loud beside your voice.\n"
                    "3. Record ten seconds of silence. You will need them.\n"
                ),
            ),
        ],
    },
)

COURSES = [VIDEO, SOUND]
