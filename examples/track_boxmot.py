"""Track two people with BoxMOT: by motion alone, and with the appearance that a model sees.

    pip install boxmot==25.0.0 onnxruntime==1.24.3
    python examples/track_boxmot.py MODEL

Use a separate environment: BoxMOT installs this version of onnxruntime by itself if another is
there.

MODEL is the folder of a training, used through the class `Appearance`, or an .onnx file of
`metabin export`, which BoxMOT reads itself.

The sequence is drawn. The two people walk towards each other, meet behind a wall, stay there for a
second and go on, so that each comes out where the other one went in.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from functools import cache

import numpy as np
from boxmot import OcSort, StrongSort
from PIL import Image

import metabin
from metabin.synthetic import RenderSettings, render_image

PEOPLE = (1, 5)  # no model has seen them: the seed of the benchmark is another one
SETTINGS = RenderSettings(seed=1, num_ids=10, num_shots=3)
FRAME = (160, 640)  # height, width
WALL = (240, 400)  # left and right edge
STEP = 6  # pixels per frame
PAUSE = 30  # frames behind the wall
HALF_WAY = 40  # frames
NUM_FRAMES = 2 * HALF_WAY + PAUSE
HEIGHT, WIDTH = 128, 64  # of a person


class Appearance:
    """A model of this project in the form that BoxMOT's trackers take as `reid_model`."""

    def __init__(self, model: metabin.ReIDModel) -> None:
        self.model = model

    def get_features(self, boxes: np.ndarray, image: np.ndarray) -> np.ndarray:
        """Return the embeddings of boxes, (N, 4) as x1, y1, x2, y2, of an image in BGR."""
        rgb = np.ascontiguousarray(image[:, :, ::-1])
        return self.model.embed([rgb[y1:y2, x1:x2] for x1, y1, x2, y2 in boxes[:, :4].astype(int)])


@cache
def person_picture(pid: int, shot: int) -> Image.Image:
    """Return one of the pictures of a person."""
    content = render_image(SETTINGS, "campus", pid, 0, shot)
    return Image.open(io.BytesIO(content), formats=("JPEG",))


@cache
def background() -> Image.Image:
    """Return the scene without people: a texture, for the compensation of camera motion."""
    texture = np.random.default_rng(0).integers(90, 160, (16, 64, 3), np.uint8)
    return Image.fromarray(texture).resize(FRAME[::-1], Image.Resampling.BICUBIC)


def left_edge(person: int, frame: int) -> int:
    """Return where a person is: the first starts at the left, the second at the right."""
    walked = STEP * (min(frame, HALF_WAY) + max(0, frame - HALF_WAY - PAUSE))
    start = FRAME[1] // 2 - WIDTH // 2 - STEP * HALF_WAY
    return start + walked if person == 0 else FRAME[1] - WIDTH - start - walked


def draw_sequence() -> Iterator[tuple[np.ndarray, np.ndarray, list[int]]]:
    """Yield frames (H, W, 3) uint8 in BGR, detections (N, 6), and the person of each detection.

    A detection is x1, y1, x2, y2, confidence, class: the part of a person that the wall does not
    hide, if that is more than half of the person.
    """
    for frame in range(NUM_FRAMES):
        picture = background().copy()
        detections = []
        people = []
        for person, pid in enumerate(PEOPLE):
            left = left_edge(person, frame)
            picture.paste(person_picture(pid, frame // 4 % SETTINGS.num_shots), (left, 16))
            x1, x2 = visible_part(left, left + WIDTH)
            if x2 - x1 > WIDTH / 2:
                detections.append((x1, 16, x2, 16 + HEIGHT, 0.9, 0))
                people.append(person)
        picture.paste((90, 70, 60), (WALL[0], 0, WALL[1], FRAME[0]))
        bgr = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])
        yield bgr, np.array(detections, np.float32).reshape(-1, 6), people


def visible_part(left: int, right: int) -> tuple[int, int]:
    """Return the left and the right edge of the part that the wall does not hide."""
    if left < WALL[0]:
        return left, min(right, WALL[0])
    return max(left, WALL[1]), right


def track_numbers(tracker: OcSort | StrongSort) -> dict[int, list[int]]:
    """Return the numbers that a tracker gives each person, in order; an unchanged one once."""
    numbers: dict[int, list[int]] = {person: [] for person in range(len(PEOPLE))}
    for picture, detections, people in draw_sequence():
        # A row of the result: x1, y1, x2, y2, track, confidence, class, row of the detection.
        for row in tracker.update(detections, picture):
            tracks = numbers[people[int(row[7])]]
            if int(row[4]) not in tracks[-1:]:
                tracks.append(int(row[4]))
    return numbers


def main() -> None:
    """Track the sequence twice, and print the numbers of the tracks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder of a training, or an .onnx file")
    model = parser.parse_args().model
    if model.endswith(".onnx"):
        appearance = {"reid_weights": model}
    else:
        appearance = {"reid_model": Appearance(metabin.load(model, device="cpu"))}
    trackers = {
        "motion alone (OcSort)": OcSort(max_age=60, max_obs=65),
        "motion and appearance (StrongSort)": StrongSort(
            max_cos_dist=0.4, max_age=60, max_obs=65, **appearance
        ),
    }
    for name, tracker in trackers.items():
        print(name)
        for person, tracks in track_numbers(tracker).items():
            print(f"  person {person + 1}: track {', then '.join(map(str, tracks))}")


if __name__ == "__main__":
    main()
