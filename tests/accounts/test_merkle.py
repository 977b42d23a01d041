"""RFC 6962 and RFC 9162: published roots and probes; any proof holds, and none holds after a change."""

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts.merkle import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    leaf_hash,
    node_hash,
    root,
    root_of,
    verify_consistency,
    verify_inclusion,
)

PROBES = json.loads((Path(__file__).parent / "data" / "merkle_probes.json").read_text(encoding="utf-8"))

# The reference inputs and roots of Certificate Transparency (RFC 6962), as github.com/transparency-dev/merkle
# has them in testonly/constants.go and rfc6962/rfc6962_test.go (Apache-2.0).
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
    "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
    "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
    "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1",
]
FRONTIER_OF_SEVEN = [
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
]


def test_hashes_of_leaf_and_node():
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert [leaf_hash(data).hex() for data in INPUTS] == LEAVES


@pytest.mark.parametrize("size", range(9))
def test_reference_roots_by_every_way_to_compute_them(size):
    hashes = [leaf_hash(data) for data in INPUTS]
    ways = [
        root(INPUTS[:size]),
        root_of(hashes[:size]),
        Frontier().extended(hashes[:size]).root(),
        Tree(hashes[:size]).root(),
        Tree(hashes).root(size),
    ]
    assert {found.hex() for found in ways} == {ROOTS[size]}


def test_reference_frontier():
    found = Frontier().extended([leaf_hash(data) for data in INPUTS[:7]])
    assert [part.hex() for part in found.hashes] == FRONTIER_OF_SEVEN


def test_a_leaf_cannot_pose_as_a_node():
    left, right = leaf_hash(b"Hello"), leaf_hash(b"World")
    assert node_hash(left, right) not in (leaf_hash(left + right), node_hash(right, left))


def bytes_of(text):
    return b64decode(text or "")


@pytest.mark.parametrize("probe", PROBES["inclusion"], ids=lambda probe: probe["file"])
def test_inclusion_probes_of_transparency_dev(probe):
    proof = [bytes_of(node) for node in probe["proof"] or []]
    leaf, expected = bytes_of(probe["leafHash"]), bytes_of(probe["root"])
    assert verify_inclusion(leaf, probe["leafIdx"], probe["treeSize"], proof, expected) is not probe["wantErr"]


@pytest.mark.parametrize("probe", PROBES["consistency"], ids=lambda probe: probe["file"])
def test_consistency_probes_of_transparency_dev(probe):
    proof = [bytes_of(node) for node in probe["proof"] or []]
    roots = bytes_of(probe["root1"]), bytes_of(probe["root2"])
    assert verify_consistency(probe["size1"], probe["size2"], proof, *roots) is not probe["wantErr"]


def subtrees(most):
    """[start, end) with start a multiple of the power of two at or above the width: trees of their own."""
    for end in range(most + 1):
        for start in range(end):
            width = 1 << (end - start - 1).bit_length()
            if start % width == 0:
                yield start, end


def test_accumulated_subtree_vectors_of_merkle_tree_certificates():
    """draft-ietf-plants-merkle-tree-certs, appendix "Subtree Test Vectors": one SHA-256 over all subtree hashes,
    one over all inclusion proofs, of the tree over leaves 00, 01, … 81; empty subtrees hash as the empty tree.
    """
    leaves = [leaf_hash(bytes([i])) for i in range(130)]
    hashes, proofs = [], []
    for start, end in subtrees(130):
        tree = Tree(leaves[start:end])
        hashes.append((end, start, tree.root()))
        for index in range(start, end):
            path = "".join(f" {node.hex()}" for node in tree.inclusion(index - start))
            proofs.append(f"{index} [{start}, {end}){path}\n")
    hashes += [(end, end, EMPTY_ROOT) for end in range(131)]
    text = "".join(f"[{start}, {end}) {found.hex()}\n" for end, start, found in sorted(hashes))
    assert sha256(text.encode()).hexdigest() == "b82806ad4265bb151c1119c0f4db437bb4d1a1f887b3a7fba1cd4ebf552e3e81"
    joined = "".join(proofs).encode()
    assert sha256(joined).hexdigest() == "ac2a8f989e44d99e399db448050ff5f19757df53cfb716aa81015d3955d8163f"


def tree_of(size):
    return Tree([leaf_hash(i.to_bytes(4, "big")) for i in range(size)])


places = st.integers(1, 300).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))
growth = st.integers(1, 300).flatmap(lambda size: st.tuples(st.integers(1, size), st.just(size)))


def flipped(value, bit):
    changed = bytearray(value)
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    return bytes(changed)


@given(places, st.integers(0, 255), st.data())
@settings(deadline=None)
def test_any_leaf_of_any_tree_is_proved_and_any_flipped_bit_fails(place, bit, data):
    size, index = place
    tree = tree_of(size)
    leaf, proof, top = leaf_hash(index.to_bytes(4, "big")), tree.inclusion(index), tree.root()
    assert verify_inclusion(leaf, index, size, proof, top)
    assert not verify_inclusion(flipped(leaf, bit), index, size, proof, top)
    assert not verify_inclusion(leaf, index, size, proof, flipped(top, bit))
    assert not verify_inclusion(leaf, index, size, [*proof, top], top)
    other = data.draw(st.integers(0, size + 3).filter(lambda i: i != index))
    assert not verify_inclusion(leaf, other, size, proof, top)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]
        assert not verify_inclusion(leaf, index, size, changed, top)
        assert not verify_inclusion(leaf, index, size, proof[1:], top)


@given(growth, st.integers(0, 255), st.data())
@settings(deadline=None)
def test_any_tree_is_proved_to_extend_any_earlier_one_and_any_flipped_bit_fails(sizes, bit, data):
    size1, size2 = sizes
    tree = tree_of(size2)
    proof, root1, root2 = tree.consistency(size1), tree.root(size1), tree.root()
    assert verify_consistency(size1, size2, proof, root1, root2)
    assert not verify_consistency(size1, size2, proof, flipped(root1, bit), root2)
    assert not verify_consistency(size1, size2, [*proof, root1], root1, root2)
    assert not verify_consistency(size1, size2, proof, root1, flipped(root2, bit))
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]
        assert not verify_consistency(size1, size2, changed, root1, root2)


@given(st.integers(1, 60), st.data())
@settings(deadline=None)
def test_a_rewritten_history_is_no_extension(size2, data):
    size1 = data.draw(st.integers(1, size2))
    at = data.draw(st.integers(0, size1 - 1))
    old = tree_of(size1)
    forged = Tree([leaf_hash(b"forged" if i == at else i.to_bytes(4, "big")) for i in range(size2)])
    assert not verify_consistency(size1, size2, forged.consistency(size1), old.root(), forged.root())


@given(st.lists(st.integers(0, 40), max_size=6))
@settings(deadline=None)
def test_a_frontier_grows_batch_by_batch_to_the_same_root(batches):
    frontier, hashes = Frontier(), []
    for count in batches:
        new = [leaf_hash(bytes([i])) for i in range(count)]
        frontier, hashes = frontier.extended(new), hashes + new
        assert (frontier.size, frontier.root()) == (len(hashes), root_of(hashes))


def test_what_a_log_does_not_have_cannot_be_asked_of_it():
    tree = tree_of(5)
    for ask in (lambda: tree.inclusion(5), lambda: tree.inclusion(-1), lambda: tree.root(6)):
        with pytest.raises(ValueError, match=r"leaf|leaves"):
            ask()
    for sizes in ((5, 4), (0, 4)):
        with pytest.raises(ValueError, match="extend"):
            tree.consistency(*sizes)
    with pytest.raises(ValueError, match="no frontier"):
        Frontier(3, (EMPTY_ROOT,))
