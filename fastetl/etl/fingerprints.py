"""Fingerprints of the genuine files: SHA-1 as `git hash-object` computes it. Source: one public listing of ETL8G."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastetl.untrusted import open_regular, require_regular

__all__ = ["KNOWN", "fingerprint", "new_fingerprint"]

KNOWN: dict[str, str] = {
    "d5ff5859a5c16918ec6168eef73c90a687ccb6aa": "ETL8G_01",
    "fea5fb7135b0224dde66ca15877cd1ba57a8a580": "ETL8G_02",
    "48c85a5a64ca4817b194a06faff5796ed5ba1d70": "ETL8G_03",
    "a478fad272e93f27dd75d6519d0e1b0e06cefa0c": "ETL8G_04",
    "c798062626c332169df9268c12c342871ac010b4": "ETL8G_05",
    "1bcae5426696fa05ad7c600d640ffbda7ee5799e": "ETL8G_06",
    "dea7523590edd7a1122906fbd28b02e8bc24d3ce": "ETL8G_07",
    "e0f2c435dc1b18ee19b8a4253ca829ca5b30e84c": "ETL8G_08",
    "5919cb829b7cb487ee39b6734e05e3abf54336a6": "ETL8G_09",
    "b2f49e6e76f5d21158e03841884a6a7c30d55e6c": "ETL8G_10",
    "e7a8ce4d1ba34eef4984dd67cf7b723ffa7d465d": "ETL8G_11",
    "1c4f689e5c40b074cc2a2cb8132b45f452810ad2": "ETL8G_12",
    "66a43c606181e3d833adf3fdc953bbbbaf1b7d06": "ETL8G_13",
    "c10afd262c030d5e1fe011130d4ddd1398e40bb5": "ETL8G_14",
    "e6c76557943f87d83248b9e9ea8c39bd9f8cb020": "ETL8G_15",
    "16e400ff7fd87dcd9b1b8fb9101ed1bd674184e1": "ETL8G_16",
    "645fa561fc0677e0290bac187a1236089737e8d9": "ETL8G_17",
    "2187decd1806b382459e9e6a8e9e74016a80b5e1": "ETL8G_18",
    "2b82de86966671fa137264dd0384e09640bec76a": "ETL8G_19",
    "bc3033389f124fe60fe6ee9780a44dfac193a082": "ETL8G_20",
    "4d4c67fbd8e63795520a6ec5840adf3289c94adb": "ETL8G_21",
    "526b6527d702a9291755fcf47ecb15673e59522b": "ETL8G_22",
    "fb1a8e540e2c254cdbafbee41874ee64a03b78af": "ETL8G_23",
    "070ecb98c4af2d6a59c8f325b224e5e39e0761d3": "ETL8G_24",
    "a19bb9d38b7204d43b3fffbb0a42a2c8d34f7721": "ETL8G_25",
    "02cf7de5e1132cd53d9f99632bcab88008baf7c5": "ETL8G_26",
    "70a1d15bd038a6b23bb0df1e79f8855ed6a91b2e": "ETL8G_27",
    "ee56b9222c2e29ebb61d2f7a79bf12d0b40d5f41": "ETL8G_28",
    "56de86a71428f4577608ce385e159fb081e425cc": "ETL8G_29",
    "98a393a74558a000da1020460136ee132729a1ad": "ETL8G_30",
    "cf1791ab310bf780d1136a7e4bba0c79afc1d29f": "ETL8G_31",
    "01d9e2b55c1ad6db36ab58ca2170883cc2a09f8d": "ETL8G_32",
    "3a18f4dbd1dff2dc5e696d85c2c9f008c4d67f4d": "ETL8G_33",
}
"""Fingerprint → name of the genuine file."""


def new_fingerprint(size: int) -> hashlib._Hash:
    """SHA-1 over `blob <size>\\0`, to be updated with the bytes of a file of `size` bytes."""
    return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)


def fingerprint(path: Path) -> str:
    """The fingerprint of a file, read a megabyte at a time."""
    digest = new_fingerprint(require_regular(path))
    with open_regular(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
