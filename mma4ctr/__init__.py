"""MMa4CTR: click prediction for micro-videos from visual, acoustic and textual content.

The package holds what two or more of the step scripts share; each script at the top of the project
is one step and reads from top to bottom.
"""

from mma4ctr import ending

__version__ = "0.1.0"

ending.begin()  # first of all: what a script imports takes seconds, in which it may be stopped
