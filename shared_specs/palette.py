"""The colors of figures and pages. Constants only: both wings import them."""

# For figures: Okabe & Ito's, distinguishable with any kind of color vision. Lines also differ by dash or mark.
BLACK, BLUE, VERMILION, GREEN = "#000000", "#0072B2", "#D55E00", "#009E73"
ORANGE, SKY, PURPLE = "#E69F00", "#56B4E9", "#CC79A7"
IN_TURN = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)  # for lines that ask for no color
# Lines of figures on pages: name of the style sheets' variable, color on white, color on dark
FIGURES = (
    ("blue", BLUE, "#5CB0EA"),
    ("vermilion", VERMILION, "#FF8E52"),
    ("green", GREEN, "#3CC99F"),
    ("purple", PURPLE, "#E3A3CA"),
    ("orange", ORANGE, "#F0B840"),
    ("sky", SKY, "#8CCBF0"),
)

# For pages: each name is a variable of the style sheets, --name; STYLE defines them.
LIGHT = {
    "paper": "#fbfaf7", "card": "#ffffff", "ink": "#1d1f24", "soft": "#62666f", "line": "#e4e1d9", "wash": "#f3f1ea",
    "good": "#1f7a4d", "good-wash": "#e4f3ea", "bad": "#b3261e", "bad-wash": "#fbe6e4", "hinge": "#b58a2c",
    "jax": "#7a4fd0", "torch": "#d9532c", "train": "#2c6ea3", "held-out": "#d9532c", "pink": "#c2478f", "teal": "#3aa6a6",
}  # fmt: skip
DARK = LIGHT | {
    "paper": "#15161a", "card": "#1c1e24", "ink": "#e9e7e1", "soft": "#a0a3ab", "line": "#33363f", "wash": "#23262d",
    "good": "#6fcf9c", "good-wash": "#1b3528", "bad": "#ff8f86", "bad-wash": "#43211f", "hinge": "#dcb45c",
    "jax": "#b094f5", "torch": "#ff8a64", "train": "#7db8e8", "held-out": "#ff8a64",
}  # fmt: skip
_LIGHT, _DARK = ("; ".join(f"--{name}: {color}" for name, color in colors.items()) for colors in (LIGHT, DARK))
ON_DARK_SCREENS = "@media screen and (prefers-color-scheme: dark)"  # a printed page is light
STYLE = f":root {{ color-scheme: light dark; {_LIGHT} }}\n{ON_DARK_SCREENS} {{ :root {{ {_DARK} }} }}\n"
