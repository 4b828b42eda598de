"""Settings of the synthetic benchmark, and the file names of its images."""

from __future__ import annotations

from dataclasses import dataclass

NUM_CAMS = 4
"""Cameras of a site; they see a person from the front, the back, the left and the right."""

IMAGE_SIZE = (128, 64)
"""Height and width in pixels of a stored image."""


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """Settings of the synthetic benchmark; equal settings always give the same bytes.

    Attributes:
        seed: Root of all randomness, in [0, 2**32).
        num_ids: Identities per site, in [1, 9999].
        num_shots: Images of an identity by one camera, >= 1.
        gap: Distance of the sites' imaging styles, in [0, 1]; 0 = all sites share the mean style.
        spread: Distance of the cameras' styles within a site, in [0, 1].
        twin: Share of identities that copy the previous one (hard negatives), in [0, 1].
        tone: Share of those copies that wear other shades of the same garments, in [0, 1]; the
            others wear the same clothes with a few fine attributes changed.
        num_changes: Fewest and most fine attributes that are changed, 1 <= fewest <= most.
    """

    seed: int = 0
    num_ids: int = 100
    num_shots: int = 2
    gap: float = 0.6
    spread: float = 0.6
    twin: float = 0.45
    tone: float = 0.6
    num_changes: tuple[int, int] = (2, 4)

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed is {self.seed}, but must be in [0, 2**32)")
        for name in ("num_ids", "num_shots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if self.num_ids > 9999:  # four digits in `image_name`
            raise ValueError(f"num_ids is {self.num_ids}, but file names have room for 9999")
        for name in ("gap", "spread", "twin", "tone"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be in [0, 1]")
        if len(self.num_changes) != 2 or not 1 <= self.num_changes[0] <= self.num_changes[1]:
            expected = "(fewest, most), 1 <= fewest <= most"
            raise ValueError(f"num_changes is {self.num_changes}, but must be {expected}")
        # A list (from a YAML file) would make the settings unhashable; caches are keyed by them.
        object.__setattr__(self, "num_changes", tuple(self.num_changes))


def image_name(pid: int, camid: int, shot: int) -> str:
    """Return the file name of an image, in the manner of Market-1501: `0007_c2_1.jpg`.

    Args:
        pid: Identity, 1-based.
        camid: Camera, 0-based (written 1-based).
        shot: Image of this identity by this camera, 0-based (written 1-based).
    """
    return f"{pid:04d}_c{camid + 1}_{shot + 1}.jpg"
