"""Tiny STB sets drawn with discs: joints, bones and depth agree with one another in all cameras."""

import numpy as np
from PIL import Image
from rhd_factory import placed_hand
from scipy.io import savemat

from pyro_mmvae.hands.rhd_format import BONES

# The conventions are written out here once more, so that the reader is tested against them and not against itself.
SK_COLOR = np.array([[607.92271, 0, 314.78337], [0, 607.88192, 236.42484], [0, 0, 1]])
SK_DEPTH = np.array([[475.62768, 0, 336.41179], [0, 474.77709, 238.77962], [0, 0, 1]])
BB = np.array([[822.79041, 0, 318.47345], [0, 822.79041, 250.31296], [0, 0, 1]])
BASELINE = 0.120054
ANGLE = np.array([0.00531, -0.01196, 0.00301])
SHIFT = np.array([-0.0240381, -0.0004563, -0.0012326])
TRAINING = tuple(f"B{number}{kind}" for number in (2, 3, 4, 5, 6) for kind in ("Counting", "Random"))
EVALUATION = ("B1Counting", "B1Random")
ORDER_OF_FILES = (  # of ours, palm, then from the little finger's MCP to its tip, ..., to the thumb's tip
    *(0, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9),
    *(8, 7, 6, 5, 4, 3, 2, 1),
)
SIZE = (640, 480)
WALL = 1.1


def color_to_depth(points):
    """From SK's colour camera to its depth camera, by Rodrigues' formula."""
    angle = np.linalg.norm(ANGLE)
    x, y, z = ANGLE / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return points @ rotation.T + SHIFT


def pixels(points, camera):
    image = points @ camera.T
    return image[..., :2] / image[..., 2:]


def hand(rng):
    """A left hand (21, 3) in metres, whole in all pictures, with the palm at 0."""
    joints = placed_hand(rng, left=True, depth=0.6, offset=(0.06, 0.0))
    joints[0] = (joints[0] + joints[12]) / 2
    return joints


def draw(joints, camera):
    """Colour and depth in millimetres of a hand, with discs on its bones."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    color = np.stack([rows // 2, columns // 4, (rows + columns) // 6], -1).astype(np.uint8)
    depth = np.full((SIZE[1], SIZE[0]), WALL)
    for bone, (a, b) in enumerate(BONES):
        for share in np.linspace(0, 1, 12):
            point = (1 - share) * joints[a] + share * joints[b]
            u, v = pixels(point, camera)
            near = tuple(slice(max(round(x) - 6, 0), max(round(x) + 7, 0)) for x in (v, u))
            disc = (rows[near] - v) ** 2 + (columns[near] - u) ** 2 <= 25
            color[near][disc] = (250, 180, 5 * bone)
            depth[near][disc] = point[2]
    return color, np.rint(1000 * depth).astype(np.int64)


def depth_image(millimetres):
    return np.stack([millimetres % 256, millimetres // 256, 0 * millimetres], -1).astype(np.uint8)


def save_labels(root, sequence, rig, joints, **options):
    """Write joints (N, 21, 3) in metres as the official files have them."""
    (root / "labels").mkdir(parents=True, exist_ok=True)
    labels = 1000 * np.asarray(joints).reshape(-1, 21, 3)[:, ORDER_OF_FILES].transpose(2, 1, 0)
    savemat(root / "labels" / f"{sequence}_{rig}.mat", {"handPara": labels}, **options)


def write_stb(root, sequences=TRAINING, frames=2, seed=0):
    """Write sequences; returns the joints in the coordinates of each camera, by sequence, (frames, 21, 3) metres.

    SK's colour camera and BB's left one are in one place, so that joints have the same coordinates in both.
    """
    rng, truth = np.random.default_rng(seed), {}
    for sequence in sequences:
        hands = np.array([hand(rng) for _ in range(frames)])
        folder = root / "images" / sequence
        folder.mkdir(parents=True)
        for frame, joints in enumerate(hands):
            images = {
                "SK_color": draw(joints, SK_COLOR)[0],
                "SK_depth": depth_image(draw(color_to_depth(joints), SK_DEPTH)[1]),
                "BB_left": draw(joints, BB)[0],
                "BB_right": draw(joints - [BASELINE, 0, 0], BB)[0],
            }
            for name, image in images.items():
                Image.fromarray(image).save(folder / f"{name}_{frame}.png", compress_level=1)
        save_labels(root, sequence, "SK", color_to_depth(hands))
        save_labels(root, sequence, "BB", hands, do_compression=True)
        truth[sequence] = {"sk": hands, "bb_left": hands, "bb_right": hands - [BASELINE, 0, 0]}
    return truth
