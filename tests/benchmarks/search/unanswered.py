"""Questions that the Python documentation does not answer, and some that it does in other words than were asked.

Nobody who wrote the everyday ones looked at the documentation for words of theirs; some share one by chance.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence

from tests.benchmarks.rest import answers
from tests.benchmarks.search.questions import questions
from tests.benchmarks.sites import SITES

MODES = ("hybrid", "vector", "keyword")
DEPTH = 10
NONSENSE = 100
SEED = 1

EVERYDAY = """
What is the capital of France?
How long do I boil an egg?
Who won the football world cup in 1998?
best recipe for chocolate cake
How do I remove red wine stains from a carpet?
When did the Roman Empire fall?
What are the symptoms of the flu?
How tall is Mount Everest?
Which vitamins are in an orange?
How do I change a flat tyre on my bicycle?
What is the boiling point of mercury?
Who painted the Mona Lisa?
cheap flights to Lisbon in March
How do I grow tomatoes on a balcony?
Why is the sky blue?
What does a notary do?
How much does an elephant weigh?
When do swallows fly south?
How do I knit a scarf?
What is the population of Nigeria?
Who was the first woman in space?
How do vaccines work?
mortgage interest rates 2024
What is the difference between a crocodile and an alligator?
How do I train a puppy to sit?
What causes earthquakes?
Which wine goes with salmon?
How do I play the guitar chord G minor?
history of the Ottoman sultans
What is photosynthesis?
How do I get rid of ants in the kitchen?
Who wrote Pride and Prejudice?
When is the next solar eclipse?
How many bones are in the human body?
What is a good exercise against back pain?
penguin breeding season in Antarctica
How do I bake sourdough bread?
What is the speed of a cheetah?
Who discovered penicillin?
How do tides depend on the moon?
What is the price of gold per ounce?
How do I renew my passport?
symptoms of iron deficiency
What languages are spoken in Switzerland?
How old is the pyramid of Giza?
How do I clean a cast iron pan?
Which planets have rings?
What does a sommelier do?
tax deductions for a home office
How do I fold a fitted sheet?
Who composed the Four Seasons?
How far is the moon?
What is the best time to prune roses?
How do I make kombucha at home?
What year did the Titanic sink?
rules of cricket explained
How do bees make honey?
What is the highest waterfall in the world?
How do I treat a sunburn?
Which countries border Mongolia?
What is the plot of Hamlet?
How do I whistle with two fingers?
average rainfall in Seattle
What do pandas eat?
How do I write a wedding speech?
Who invented the telephone?
How are diamonds formed?
What is the offside rule in soccer?
How do I descale a coffee machine?
When was the Berlin Wall built?
best hiking trails in Patagonia
How do I paint a ceiling without streaks?
What is the lifespan of a tortoise?
How does a refrigerator cool?
Who is the patron saint of travellers?
How do I make vegan lasagna?
What is the currency of Japan?
How do glaciers move?
Which muscles does swimming train?
How do I calm a crying baby?
What is the meaning of life according to Buddhism?
how to tie a bow tie
What is the largest desert?
How do I sharpen a kitchen knife?
Who won the battle of Waterloo?
Why do cats purr?
What is gluten?
How do I start a compost heap?
lyrics of the national anthem of Canada
How do I choose running shoes?
What are the ingredients of guacamole?
How does the stock market work?
When do kids lose their milk teeth?
What is the fastest train in Europe?
How do I get a driving licence in Spain?
What is a haiku?
How do I repair a leaking tap?
Who were the Vikings?
How do submarines dive?
What is the treatment for poison ivy?
""".strip().splitlines()

IN_OTHER_WORDS = """
How can I make my script wait a few seconds?
read a file one line after the other
turn text into a number
how to stop a loop early
send an email from a program
get today's date
make a copy of a nested structure
find out how long a function takes
run two things at once
check whether a path exists
delete a folder with everything in it
unpack a compressed archive
talk to a database without a server
parse command line flags
how do I catch an error and go on?
store settings in a file
fetch a web page
sort people by age
remove duplicates from a collection
pick something at random
write tests for my code
find text that looks like a phone number
start another program and read what it prints
why is my default argument shared between calls?
keep secrets out of logs
count how often each word occurs
join strings with commas
round money correctly
make an object usable in a with block
print without a newline
what does yield do?
share data between processes
limit how much memory a thread uses
hide the password while typing
make a window with a button
convert between time zones
debug my program step by step
install packages into a separate folder
speed up repeated calls with the same arguments
compare two files and show what differs
""".strip().splitlines()


def nonsense(count: int = NONSENSE) -> list[str]:
    """Words that are none, half of them within a question. The same every time."""
    drawn = random.Random(SEED)
    asked = []
    for number in range(count):
        first, *rest = (_word(drawn) for _ in range(drawn.randint(2, 6)))
        words = " ".join(rest)
        asked.append(f"{first} {words}" if number % 2 else f"How do I {first} a {words}?")
    return asked


def _word(drawn: random.Random) -> str:
    sounds = ("bdfghjklmnprstvwz", "aeiou", ("", "", "t"))
    return "".join(drawn.choice(sound) for _ in range(drawn.randint(1, 3)) for sound in sounds)


def called_weak(port: int) -> dict[str, dict[str, float]]:
    """By mode and kind of question, the share of answers that say by themselves to be none."""
    kinds: dict[str, Sequence[str]] = {
        "documented": [one["query"] for one in questions(SITES["python"].folder()).all()],
        "in other words": IN_OTHER_WORDS,
        "everyday": EVERYDAY,
        "nonsense": nonsense(),
    }
    return {mode: {kind: _share(port, asked, mode) for kind, asked in kinds.items()} for mode in MODES}


def _share(port: int, asked: Sequence[str], mode: str) -> float:
    """An answer without any result is none, and need not say so."""
    told = [one for _, one in answers(port, "/api/rag/query", asked, mode=mode, match_count=DEPTH)]
    return statistics.fmean(one["weak"] or not one["results"] for one in told)
