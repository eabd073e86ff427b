"""Archives of weights as the folders that they are read from."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from protloc.atomic import partial_name, remove
from protloc.errors import InputError

FOLDERS = {"stardist_2d_versatile_fluo": "2D_versatile_fluo"}  # row of the sources, folder beside the archive


def unpack(archive: Path, folder: Path) -> None:
    """Put the files of a zip archive into a folder, all or none, without the folders within."""
    if folder.is_dir():
        return
    temporary = partial_name(folder)
    remove(temporary)
    temporary.mkdir()
    try:
        with zipfile.ZipFile(archive) as packed:
            for member in packed.infolist():
                if not member.is_dir():
                    name = PurePosixPath(member.filename).name  # which cannot lead out of the folder
                    with packed.open(member) as source, (temporary / name).open("wb") as target:
                        shutil.copyfileobj(source, target)
        temporary.rename(folder)
    except zipfile.BadZipFile as error:
        raise InputError(f"{archive}: cannot be unpacked ({error}); delete it and run again") from error
    finally:
        remove(temporary)
