"""Files into text, in a child process with limits: what people upload, PDFs and archives that a crawl meets.

    run.read      in the worker: starts the child, bounds its time and its output, yields what it says
    child         the program itself: limits its own memory, CPU and files before it imports a parser
    sniff         what a file is, by its bytes; the list of what is read
    pdf, word, archives, rst    one format each

Nothing here imports Django: the child starts in a fraction of a second and knows no secret and no database.
"""

from knowledge.readers.parts import Expected, Left, Limits, Part, Said, Trouble
from knowledge.readers.run import Selection, read

__all__ = ["Expected", "Left", "Limits", "Part", "Said", "Selection", "Trouble", "read"]
