"""The words of the catalogue: CardTrader's games, invented expansions and cards, sellers' texts.

Some hold what trips a careless parser: quotes, brackets, `},{`, backslashes, line ends, letters of
many scripts.
"""

from __future__ import annotations

# id, name, display name, prefix of property names, how many expansions, languages
GAMES = (
    (1, "Magic", "Magic: the Gathering", "mtg", 40, "en fr de it jp kr pt ru es zh-CN zh-TW"),
    (4, "Yu-Gi-Oh!", "Yu-Gi-Oh!", "yugioh", 24, "en fr it de es pt jp kr zh-TW"),
    (5, "Pokémon", "Pokémon", "pokemon", 24, "en fr it de es pt jp kr nl pl zh-CN zh-TW"),
    (6, "Flesh and Blood", "Flesh and Blood", "fab", 8, "en fr de it es jp"),
    (8, "Digimon", "Digimon", "digimon", 8, "en jp"),
)

CONDITIONS = (
    "Near Mint",
    "Slightly Played",
    "Moderately Played",
    "Played",
    "Heavily Played",
    "Poor",
)
RARITIES = ("Common", "Common", "Common", "Uncommon", "Uncommon", "Rare", "Rare", "Mythic")
COLORS = ("", "W", "U", "B", "R", "G", "WU", "BR", "GWU")

FIRST = """
Ancient Ashen Bold Brass Crimson Dawn Deep Dire Elder Ember Fallen Feral Frost Gilded Grim Hidden
Hollow Iron Jade Last Lost Lunar Mirror Moss Night Pale Quiet Radiant Restless Rune Salt Savage
Shadow Silent Silver Solar Storm Sunken Thorn Tidal Velvet Wandering Wild Winter
""".split()  # noqa: SIM905 - a list of strings would be three times as long to read
SECOND = """
Archer Augur Basilisk Bear Beacon Captain Chimera Colossus Courier Drake Duelist Elemental Envoy
Falcon Gate Giant Golem Guardian Herald Hound Hydra Keeper Knight Lantern Leviathan Mage Oracle
Pilgrim Raven Reaver Sage Scholar Sentinel Serpent Shaman Specter Sphinx Stag Titan Warden Wolf Wyrm
""".split()  # noqa: SIM905
PLACES = """
Aldmoor Brekkan Caldera Dunmere Eshfell Farrowgate Glimmerfen Harrowdeep Isenhall Kessvale Lorrin
Mournholt Nareth Ostreach Pellgard Quillon Ravenmark Skarn Tarnwick Umbrel Valdor Westerlund Yrsa
Zhen
""".split()  # noqa: SIM905
ODD = (
    'Kessa, "the Quiet"',
    "Jötunn's Æther // Élan",
    "Lim-Dûl's Vault",
    "青龍の巫女",
    "Ледяной дозор",
    "Who/What/When\\Where",
    "[Blank], {Unnamed}",
    "Flabébé δ",
)
VERSIONS = (None, None, None, "", "", "Showcase", "Borderless", "Extended Art", "Reverse Holo")

DESCRIPTIONS = (
    "NM/M, straight from the pack into a sleeve.",
    "Near mint, ships in a toploader with tracking on request.",
    "Slight edge wear on the back, otherwise clean. Photos on request.",
    (
        "Played but tournament legal in a sleeve; small crease in the top left corner, "
        "see the pictures."
    ),
    "Pack fresh! Combined shipping for several cards, please ask before you pay.",
    (
        "Versand am nächsten Werktag, sicher verpackt in Hülle und Toploader – "
        "größere Mengen auf Anfrage."
    ),
    "Spedizione rapida e sicura, la carta è esattamente quella della foto. Qualità garantita!",
    (
        "Carte en très bon état, envoi soigné sous pochette rigide ; "
        "n'hésitez pas à demander des photos."
    ),
    "日本語版、美品。プレイ用におすすめです。",
    "繁體中文版、近全新",
    "Отличное состояние, отправлю в день оплаты 📦",
    "⭐⭐⭐⭐⭐ 100 % positive 🔥",
    'Said "mint" by the last owner; I would call it "near mint".',
    "Lot },{ of [two], do not split}]",
    'Inventory note: {"box":"A3","row":17},{"box":"A4"}',
    "C:\\cards\\2019\\box7\\n",
    "First line\nsecond line\ttabbed\r\nthird line",
    "<b>SALE</b> &amp; more <script>alert(1)</script>",
    " leading and trailing spaces ",
    "0",
    "null",
    (
        "Signed by the artist at a convention in 2017, certificate included. "
        "The signature is on the art box, in silver pen, beside the text."
    ),
)
TAGS = ("sale", "promo,2024", "vitrine", "A&B", "reserved", "Box #12")
