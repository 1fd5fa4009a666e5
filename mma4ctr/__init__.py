"""MMa4CTR: click prediction for micro-videos from visual, acoustic and textual content.

The package holds what two or more of the step scripts share; each script at the top of the project
is one step and reads from top to bottom.
"""

__version__ = "0.1.0"
