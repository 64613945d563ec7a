"""What checks a package: `verify` and its sections. What a package holds is in the folder above."""

from __future__ import annotations

from export.verification.package_checks import verify

__all__ = ["verify"]
