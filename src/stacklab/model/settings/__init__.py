"""Settings of a stack that stand for several values. No torch here.

shorthands   the door: HeadSchedule, numbers of heads by layer; Biases, which linear maps add a bias

It imports base alone.
"""
