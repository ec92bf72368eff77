"""Merkle trees: known values of RFC 9162's reference, and proofs of every leaf of every size."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from rootstock.audit.merkle import merkle_check, merkle_proof, merkle_root

LEAVES = [bytes.fromhex(one) for one in ("", "00", "10", "2021", "3031", "40414243")]


def test_it_works() -> None:
    # The values of Certificate Transparency's own test vectors.
    assert merkle_root(LEAVES[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle_root(LEAVES[:3]).hex() == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
    assert merkle_root(LEAVES[:6]).hex() == "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"
    assert merkle_root([]) == sha256(b"").digest()


@given(st.integers(1, 70), st.data())
def test_a_proof_holds_for_its_leaf_and_for_nothing_else(count: int, data: st.DataObject) -> None:
    leaves = [sha256(bytes([one])).digest() for one in range(count)]
    root, index = merkle_root(leaves), data.draw(st.integers(0, count - 1))
    path = merkle_proof(leaves, index)
    assert merkle_check(leaves[index], index, count, path, root)
    other = data.draw(st.integers(0, count - 1).filter(lambda one: one != index or count == 1))
    if count > 1:
        assert not merkle_check(leaves[other], index, count, path, root)
        assert not merkle_check(leaves[index], other, count, path, root)
        assert not merkle_check(leaves[index], index, count, path[:-1], root)
    assert not merkle_check(leaves[index], index, count, [*path, b"x" * 32], root)
    assert not merkle_check(leaves[index], count, count, path, root)
