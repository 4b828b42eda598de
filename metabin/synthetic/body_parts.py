"""Parts of a person: the labels of surfaces, and their places in the texture atlas."""

from __future__ import annotations

from enum import IntEnum


class Part(IntEnum):
    """Label of a surface and index of its texture. Left and right limbs share a texture."""

    HEAD = 0
    NOSE = 1
    EAR = 2
    NECK = 3
    HAIR = 4
    FALL = 5  # hair that hangs below the skull
    KNOT = 6  # bun, tail
    HAT = 7
    BRIM = 8
    TORSO = 9
    SHOULDER = 10
    UPPER_ARM = 11
    FOREARM = 12
    HAND = 13
    PELVIS = 14
    THIGH = 15
    CALF = 16
    SHOE = 17
    SKIRT = 18
    TAIL = 19  # of a coat
    HOOD = 20
    SCARF = 21
    BAG = 22
    HANDLE = 23
