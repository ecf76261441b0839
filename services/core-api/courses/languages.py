"""Languages of courses and captions: IETF tags (BCP 47), and what players call them."""

from django.core.validators import RegexValidator

validate_language = RegexValidator(
    r"\A[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*\Z", "Use an IETF language tag such as en, de or pt-BR.", "invalid_language"
)

_NAMES = {
    "ar": "العربية",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "hi": "हिन्दी",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt": "Português",
    "ru": "Русский",
    "tr": "Türkçe",
    "uk": "Українська",
    "zh": "中文",
}


def language_label(tag: str) -> str:
    """What the language calls itself, where we know it: "Deutsch", "Português (BR)"; else the tag."""
    language, _, variant = tag.partition("-")
    name = _NAMES.get(language)
    return f"{name} ({variant})" if name and variant else name or tag
