"""Mission files of other programs, in and out.

Every reader gives a `MissionFile` with altitudes above the take-off point; what a format says in
another way is converted where the file holds what that takes, and refused by name where not.
"""
