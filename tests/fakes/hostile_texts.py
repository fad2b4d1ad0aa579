"""Texts that somebody sends who wants the operator's terminal: every one is only text.

Owns the corpus. `CORPUS` holds each string once; none is empty and none is longer than `LONGEST`.
"""

# ruff: noqa: E501

from __future__ import annotations

LONGEST = 4000

_C0 = [chr(code) for code in (*range(0x00, 0x20), 0x7F)]
_C1 = [chr(code) for code in range(0x80, 0xA0)]
_BIDI = [chr(code) for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]
_INVISIBLE = [
    chr(code)
    for code in (
        0xAD, 0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180E, *range(0x200B, 0x200E), *range(0x2060, 0x2065),
        *range(0x206A, 0x2070), 0x3164, 0xFE00, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF9, 0xFFFA, 0xFFFB, 0xE0001, 0xE0041, 0xE0100,
    )
]  # fmt: skip
_SPACES = [chr(code) for code in (0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)]
_NO_CHARACTERS = [chr(code) for code in (0xE000, 0xF8FF, 0xFDD0, 0xFFFE, 0xFFFF, 0x1FFFE, 0xF0000, 0x10FFFF, 0x378)]

_SEQUENCES = [
    "[31mred", "[0m", "[2J", "[H", "[3J", "[1;1Howned", "[999B", "[?1049l", "[?25l", "[?1000h", "[?2004l", "[6n", "[c",
    "[>c", "[5i", "[4i", "[21t", "[8;1;1t", "[?2026h", "[1;24r", "[?7l", "[20h", "[!p", "[38;2;0;0;0m", "[8mhidden", "c",
    "7", "8", "D", "M", "E", "Z", "=", ">", "#8", "(0lqqk", ")0", "%G", "%@", "n", "o", "|", "l", "m",
    "]0;title\x07", "]2;title\x1b\\", "]8;;http://evil.example\x07click\x1b]8;;\x07", "]52;c;cm0gLXJmIH4=\x07",
    "]4;1;rgb:00/00/00\x07", "]10;?\x07", "]50;#1\x07", "]777;notify;a;b\x07", "]9;note\x07", "]1337;File=:aGk=\x07",
    "]133;A\x07", "P+q544e\x1b\\", "P$q\"p\x1b\\", "P0;1|17/ab\x1b\\", "P1$r0m\x1b\\", "_Gi=31,s=1,v=1,a=q;AAAA\x1b\\",
    "^private\x1b\\", "Xstart\x1b\\", "kscreen title\x1b\\", "[200~paste\x1b[201~", "[[A", "OP", "[1$}", "[?1;2c", "[;H",
    "[" + "1;" * 200 + "m", "[" + "9" * 300 + "C", "]" + "x" * 1000, "P" + "q" * 1000,
]  # fmt: skip

_MARKUP = [
    "[/red]", "[red]x[/red]", "[bold red on blue]x", "[@click=app.quit]quit[/]", "[@click=app.exit()]x[/@click]",
    "[@click='app.bell']bell[/]", "[link=http://evil.example]x[/link]", "[link=file:///etc/passwd]x", "[/]", "[]", "[[", "]]",
    "[not closed", "\\[escaped]", "[$primary]x[/]", "[on $error]x", "[reverse]x[/reverse]", "[blink]x", "[conceal]x",
    "[$text 50%]x", "[#ff0000]x", "[rgb(1,2,3)]x", "[b][i][u]x", "[/b]x[b]", "[a=b]", "[@mouse.down=x]y[/]", "[=]",
    "[ ]", "[x]", "[1]", "[%]", "[bold", "bold]", "[bold]" * 60, "[/bold]" * 60, ":smile:", ":warning:", "&lt;b&gt;",
    "<script>alert(1)</script>", "<b>x</b>", "<img src=x onerror=alert(1)>", "<!--", "{{7*7}}", "${7*7}", "#{7*7}",
    "{0.__class__}", "{self.app}", "%s%s%s%n", "%(name)s", "$(reboot)", "`reboot`", "; reboot", "| reboot", "&& reboot",
    "../../etc/passwd", "file:///etc/passwd", "javascript:alert(1)", "http://169.254.169.254/latest", "' OR '1'='1",
    "'; DROP TABLE alerts; --", '" OR ""="', "\\x1b[31m", "\\u001b[31m", "^[[31m", "null", "None", "NaN", "true", "-1", "1e400",
]  # fmt: skip

_FORMULAS = [
    "=1+1", "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(1,1)", '=HYPERLINK("http://evil.example","x")', "\t=1", "\r=1",
    "=IMPORTXML(1)", "＝1+1", "＋1", "－1", "＠x", "'=1", '"=1"', "a,b;c\td", 'a"b""c', "a\nb", "a\r\nb",
]  # fmt: skip

_SCRIPTS = [
    "Z" + "\u0301" * 100 + "algo", "".join(f"{letter}\u0300\u0316\u0335\u0489" for letter in "zalgo" * 8), "é" * 300,
    "中文警报" * 40, "日本語", "한국어", "עברית שלום", "العربية", "हिन्दी", "ไทย", "👨‍👩‍👧‍👦" * 10, "🏳️‍🌈", "🇩🇪🇫🇷", "👍🏽", "﷽" * 20,
    "𒐫" * 20, "ﬀﬁﬂ", "ｆｕｌｌ", "ª²³", "\u0e33" * 30, "\u0f7e" * 30, "\u1ab0" * 50, "ｱｲｳ", "ßẞİıſ", "Ａ" * 200, "a\u0338b", "x" * LONGEST,
    "word " * 700, "⣿" * 100, "█" * 200, "│─┼" * 50, "\ufffd" * 20, "🂡🀀", "ⓐ", "①", "㊙", "™", "…", "‰", "𝕏𝔸", "ǅ", "ŉ",
]  # fmt: skip


def _corpus() -> tuple[str, ...]:
    found = [f"a{control}b" for control in (*_C0, *_C1, *_BIDI, *_INVISIBLE, *_SPACES, *_NO_CHARACTERS)]
    found += [f"\x1b{sequence}" for sequence in _SEQUENCES]
    # The same with the one-byte introducers of eight-bit terminals.
    introducers = {"[": "\x9b", "]": "\x9d", "P": "\x90", "_": "\x9f", "^": "\x9e", "X": "\x98"}
    found += [introducers[text[0]] + text[1:] for text in _SEQUENCES if text[0] in introducers]
    found += _MARKUP + _FORMULAS + _SCRIPTS
    found += [f"\u202e{text}" for text in _MARKUP[:20]] + [f"\u200b{text}\u200b" for text in _FORMULAS]
    return tuple(dict.fromkeys(text[:LONGEST] for text in found if text))


CORPUS = _corpus()
