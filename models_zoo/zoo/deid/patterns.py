"""Numbers, days and amounts as they are written in several countries, for sentences that are no notes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

from models_zoo.clinical.deid import lexicon
from models_zoo.clinical.deid.slots import digits

LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


def drawn(pattern: str, random: Random) -> str:
    """A number by its picture: # is a digit, ? a letter."""
    return "".join(
        random.choice("0123456789") if sign == "#" else random.choice(LETTERS) if sign == "?" else sign
        for sign in pattern
    )


def pattern(*patterns: str) -> Callable[[Random], str]:
    """What draws by one of the pictures."""
    return lambda random: drawn(random.choice(patterns), random)


zip_code = pattern(
    "#####", "#####", "####", "#####-####", "?# #??", "??# #??", "??## #??", "?#? #?#", "### ##", "##-###", "####-###",
    "#### ??", "###", "#####-###", "D-#####", "CH-####",
)  # fmt: skip
phone = pattern(
    "(###) ###-####", "###-###-####", "### ### ####", "+1 ### ### ####", "+1-###-###-####", "1-###-###-####",
    "###.###.####", "##########", "(###)###-####x####", "+1-###-###-####x###", "###-###-####x#####", "001-###-###-####",
    "0#### ######", "07### ######", "07### ### ###", "+44 7### ######", "+44 20 #### ####", "(0##) #### ####",
    "0# ## ## ## ##", "0#.##.##.##.##", "+33 # ## ## ## ##", "0### #######", "0### ### ## ##", "+49 ### #######",
    "+41 (0)## ### ## ##", "+46 (0)### ### ##", "## ### ###", "## ## ## ##", "##-##-##-##", "+45 ## ## ## ##",
    "+358 ## ### ####", "(##) ####-####", "(##) ###-###", "+55 ## #####-####", "+91 ##### #####", "+81 ##-####-####",
    "### ### ###", "+48 ### ### ###", "#### ####", "### ####", "####-###-###", "+234 ### ### ####", "+61 4## ### ###",
)  # fmt: skip
ip = pattern(
    "1##.##.1##.##", "##.1##.##.#", "192.168.#.##", "10.#.##.1##", "2#0#:4#4#:c6#7:e##8:c##:40d#:c66#:2eb4"
)
card = pattern(
    "4###############", "5###############", "4############", "3##############", "3#############", "6011############",
    "18#############", "#### #### #### ####", "####-####-####-####", "4##################", "50##########",
    "3### ###### #####",
)  # fmt: skip
iban = pattern(
    "GB##????##############", "GB## ???? #### #### #### ##", "DE####################", "DE## #### #### #### #### ##",
    "FR#########################", "CH## #### #### #### #### #", "NL##????##########", "ES######################",
    "IT##?######################", "AT## #### #### #### ####", "PL##########################",
    "SE######################",
)  # fmt: skip
licence = pattern(
    "?############", "?#######", "#######", "########", "??######", "?###-####-####", "?##############",
    "??-###-###", "#### ## ####", "##??#####", "?##########", "?########", "???## ### ###", "######-####",
)  # fmt: skip
account = pattern(
    "########", "##########", "##-##-## ########", "############", "??########", "####-######-##", "#####-#"
)


def day(random: Random) -> str:
    """A day, with or without its year."""
    on = date(1930, 1, 1) + timedelta(days=random.randrange(36000))
    month, short = f"{on:%B}", f"{on:%b}"
    return random.choice(
        (f"{on.month}/{on.day}/{on.year}", f"{on.month}/{on.day}/{on.year}", on.isoformat(),
         f"{on.day:02d}/{on.month:02d}/{on.year}", f"{on.day}.{on.month}.{on.year}",
         f"{on.day} {month} {on.year}", f"{month} {on.day}, {on.year}", f"{short} {on.day}, {on.year}",
         f"{on.day} {short} {on.year % 100:02d}", f"{on.day} {month}", f"{month} {on.day}",
         f"{short}. {on.day}", f"{on.day}-{on.month}-{on.year}", f"{on.day:02d}.{on.month:02d}.{on.year % 100:02d}",
         f"{on.year}/{on.month:02d}/{on.day:02d}", f"{on.day}th of {month}" if 3 < on.day < 21 else month)
    )  # fmt: skip


def moment(random: Random) -> str:
    """A day with the time of day in one."""
    on = date(1970, 1, 1) + timedelta(days=random.randrange(20000))
    clock = f"{random.randrange(24):02d}:{random.randrange(60):02d}"
    seconds = f":{random.randrange(60):02d}"
    return random.choice(
        (f"{on.isoformat()} {clock}{seconds}", f"{on.isoformat()} {clock}{seconds}",
         f"{on.isoformat()}T{clock}{seconds}Z", f"{on.isoformat()} {clock}",
         f"{on.day:02d}.{on.month:02d}.{on.year} {clock}",
         f"{on.month}/{on.day}/{on.year} {random.randint(1, 12)}:{clock[-2:]} {random.choice(('AM', 'PM'))}")
    )  # fmt: skip


def when(random: Random) -> str:
    """A day, a year, a weekday or a moment."""
    year = str(random.randint(1950, 2025))
    return random.choice(
        (day(random), day(random), year, year, random.choice(lexicon.WEEKDAYS), moment(random))
    )


def ordinal(random: Random) -> str:
    """A number that counts places: no date."""
    number = random.randint(1, 120)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number // 10 % 10 != 1 else "th"
    return f"{number}{ending}"


def price(random: Random) -> str:
    """An amount of money."""
    value = f"{random.randint(1, 4000):,}{random.choice(('', f'.{digits(random, 2)}'))}"
    return random.choice(
        (f"${value}", f"€{value}", f"£{value}", f"{value} euros", f"{value} USD", f"{value} dollars")
    )


def version(random: Random) -> str:
    """The number of a piece of software."""
    return random.choice(("", "v")) + ".".join(
        str(random.randint(0, 20)) for _ in range(random.randint(2, 3))
    )


def count(random: Random) -> str:
    """How many of something."""
    return random.choice((str(random.randint(2, 999)), f"{random.randint(1, 99)},{digits(random, 3)}"))


def span(random: Random) -> str:
    """How long something takes."""
    return (
        f"{random.randint(2, 40)} {random.choice(('days', 'weeks', 'months', 'years', 'hours', 'minutes'))}"
    )
