"""Merkle tree of an append-only log: RFC 6962, section 2.1; proofs and their checks as in RFC 9162, section 2.1.

A leaf hash is SHA-256(0x00 ‖ data), a node hash SHA-256(0x01 ‖ left ‖ right). A tree of n leaves splits at the
largest power of two below n. Hashes are 32 bytes; indices count from 0.

Whoever holds the root of a size can be shown that a leaf is in it (inclusion), and that a later root extends it
without a change to what was there (consistency). Nothing but hashlib is needed to check.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256().digest()
HASH_BYTES = 32
_sha256 = hashlib.sha256


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data), RFC 6962 section 2.1."""
    return _sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), RFC 6962 section 2.1."""
    return _sha256(b"\1" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """Root hash over the data of all leaves, in order.

    >>> root([]).hex()[:8], root([b""]).hex()[:8]
    ('e3b0c442', '6e340b9c')
    """
    sha256 = _sha256
    return root_of([sha256(b"\0" + data).digest() for data in leaves])


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Root hash over leaf hashes. What is left over at the right of a level joins what was left over below it."""
    if not hashes:
        return EMPTY_ROOT
    level: Sequence[bytes] = hashes
    rest: bytes | None = None
    while len(level) > 1:
        if len(level) % 2:
            rest = level[-1] if rest is None else node_hash(level[-1], rest)
        level = _parents(level)
    return level[0] if rest is None else node_hash(level[0], rest)


def _parents(level: Sequence[bytes]) -> list[bytes]:
    """Hashes of the complete pairs."""
    sha256 = _sha256
    pairs = zip(level[::2], level[1::2], strict=False)
    return [sha256(b"\1" + left + right).digest() for left, right in pairs]


@dataclass(frozen=True, slots=True)
class Frontier:
    """What must be kept of a log to go on: the roots of its complete subtrees, largest first (compact range).

    >>> Frontier().extended([leaf_hash(b"a"), leaf_hash(b"b")]).root() == root([b"a", b"b"])
    True
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"{len(self.hashes)} hashes are no frontier of {self.size} leaves")

    def extended(self, leaf_hashes: Iterable[bytes]) -> Frontier:
        """With these leaves added at the right."""
        size, stack, sha256 = self.size, list(self.hashes), _sha256
        for found in leaf_hashes:
            carried, full = found, size
            while full & 1:
                carried = sha256(b"\1" + stack.pop() + carried).digest()
                full >>= 1
            stack.append(carried)
            size += 1
        return Frontier(size, tuple(stack))

    def root(self) -> bytes:
        if not self.hashes:
            return EMPTY_ROOT
        found = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            found = node_hash(left, found)
        return found


class Tree:
    """All complete subtrees over given leaf hashes, to hand out proofs. 64 bytes per leaf."""

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        self.size = len(leaf_hashes)
        self._levels: list[Sequence[bytes]] = [leaf_hashes]
        while len(self._levels[-1]) > 1:
            self._levels.append(_parents(self._levels[-1]))

    def root(self, size: int | None = None) -> bytes:
        """Root of the first ``size`` leaves; of all without it."""
        wanted = self._known(self.size if size is None else size)
        return self._hash(0, wanted) if wanted else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """PATH(index, D[size]), RFC 6962 section 2.1.1: the siblings from the leaf up to the root."""
        wanted = self._known(self.size if size is None else size)
        if not 0 <= index < wanted:
            raise ValueError(f"a tree of {wanted} has no leaf {index}")
        start, end, path = 0, wanted, []
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._hash(middle, end))
                end = middle
            else:
                path.append(self._hash(start, middle))
                start = middle
        return tuple(reversed(path))

    def consistency(self, size1: int, size2: int | None = None) -> tuple[bytes, ...]:
        """PROOF(size1, D[size2]), RFC 6962 section 2.1.2; 0 < ``size1``."""
        wanted = self._known(self.size if size2 is None else size2)
        if not 0 < size1 <= wanted:
            raise ValueError(f"a tree of {wanted} does not extend one of {size1}")
        if size1 == wanted:
            return ()
        start, end, path, whole = 0, wanted, [], True
        while end != size1:
            middle = start + _split(end - start)
            if size1 <= middle:
                path.append(self._hash(middle, end))
                end = middle
            else:
                path.append(self._hash(start, middle))
                start, whole = middle, False
        if not whole:
            path.append(self._hash(start, end))
        return tuple(reversed(path))

    def _known(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ValueError(f"the log has {self.size} leaves, not {size}")
        return size

    def _hash(self, start: int, end: int) -> bytes:
        """Root over leaves [start, end); ``start`` is a multiple of the power of two at or above the width."""
        width = end - start
        if width & (width - 1) == 0:
            level = width.bit_length() - 1
            return self._levels[level][start >> level]
        middle = start + _split(width)
        return node_hash(self._hash(start, middle), self._hash(middle, end))


def _split(size: int) -> int:
    """The largest power of two smaller than ``size`` (≥ 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether ``proof`` shows the leaf hash at ``index`` in the tree of ``size`` with root ``expected``.

    RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size or not _hashes(leaf, *proof):
        return False
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == expected


def verify_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> bool:
    """Whether ``proof`` shows that the tree of ``size2`` with ``root2`` extends that of ``size1`` with ``root1``.

    RFC 9162 section 2.1.4.2. Equal sizes need equal roots and an empty proof. Of an empty tree nothing can be
    shown: False.
    """
    if not 0 < size1 <= size2 or not _hashes(*proof):
        return False
    if size1 == size2:
        return not proof and root1 == root2
    path = list(proof)
    if size1 & (size1 - 1) == 0:
        path.insert(0, root1)
    if not path:
        return False
    at, last = size1 - 1, size2 - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and old == root1 and new == root2


def _hashes(*values: bytes) -> bool:
    """Two hashes of other lengths could be cut apart elsewhere and hash alike."""
    return all(len(value) == HASH_BYTES for value in values)
