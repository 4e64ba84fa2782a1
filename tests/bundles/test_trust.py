"""Scopes: a tenant's key is believed for its own products, the vendor's for everything, any other for nothing."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from bundles.adapters.key_files import KeyFiles, create_key_pair, load_private_key
from bundles.core.envelope import MAX_SIGNATURES, add_signature, seal, signers, unseal
from bundles.core.errors import Failed, Invalid, Refused
from bundles.core.names import Product, Scope, parse_product, parse_scope, scope_of
from bundles.core.trust import KeyRing, TrustedKey, TrustedKeys, check_signer, key_id_of

KIND = "application/vnd.test+json"
SCOPES = [None, Scope("@acme"), Scope("@acme.eu"), Scope("@acm")]
KEYS = {scope: Ed25519PrivateKey.generate() for scope in SCOPES}
STRANGER = Ed25519PrivateKey.generate()

# Names close to the scopes' own, where a test by prefix would be wrong.
names = st.from_regex(r"(@(acme|acm|acme\.eu|acmee|acme-eu)/)?[a-z0-9]{1,3}", fullmatch=True)
products = names.map(parse_product)


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> TrustedKeys:
    """All the keys but the stranger's, as files."""
    folder = tmp_path_factory.mktemp("keys")
    files = KeyFiles(folder / "trusting")
    for number, (scope, key) in enumerate(KEYS.items()):
        public = folder / f"{number}.pub"
        public.write_bytes(pem_of(key))
        files.trust(public, scope)
    return files.trusted_keys()


@pytest.fixture(scope="module", params=["disk", "memory"])
def trusted(request: pytest.FixtureRequest, on_disk: TrustedKeys) -> TrustedKeys:
    """The same keys, on disk and in memory."""
    ring = KeyRing(*(TrustedKey(key.public_key(), scope) for scope, key in KEYS.items()))
    return on_disk if request.param == "disk" else ring


def pem_of(key: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@given(products, st.sampled_from(SCOPES))
def test_a_key_signs_all_of_its_scope_and_nothing_else(
    trusted: TrustedKeys, product: Product, scope: Scope | None
) -> None:
    key = KEYS[scope]
    may = scope is None or str(product).split("/")[0] == scope
    sealed = seal(KIND, b"{}", key)
    assert signers(KIND, sealed, trusted, product) == ({key_id_of(key.public_key())} if may else set())
    if may:
        assert unseal(KIND, sealed, trusted, "it", product) == b"{}"
        check_signer(key, trusted, product)
        return
    with pytest.raises(Failed, match="not trusted for it"):
        unseal(KIND, sealed, trusted, "it", product)
    with pytest.raises(Refused, match=f"may not sign {product}: it is trusted for products of {scope} alone"):
        check_signer(key, trusted, product)


@pytest.mark.parametrize("scope", SCOPES[1:])
def test_a_tenants_key_never_signs_what_is_no_build(trusted: TrustedKeys, scope: Scope) -> None:
    with pytest.raises(Failed, match="not trusted for it"):
        unseal(KIND, seal(KIND, b"{}", KEYS[scope]), trusted, "the snapshot")
    with pytest.raises(Refused, match="may not sign the routing table"):
        check_signer(KEYS[scope], trusted, None)


@given(products)
def test_a_stranger_signs_nothing(trusted: TrustedKeys, product: Product) -> None:
    assert signers(KIND, seal(KIND, b"{}", STRANGER), trusted, product) == set()
    with pytest.raises(Refused, match="it is not trusted here"):
        check_signer(STRANGER, trusted, product)


@pytest.mark.parametrize("key_id", ["", "../signing", "x" * 64, "@acme/x", "\0", f"{'0' * 64}/..", "*"])
def test_a_key_id_of_a_strangers_making_finds_nothing(trusted: TrustedKeys, key_id: str) -> None:
    assert trusted.find(key_id, Product("@acme/menu")) is None


def test_a_key_id_that_is_a_way_to_another_scopes_file_finds_nothing(trusted: TrustedKeys) -> None:
    acme, vendor = (key_id_of(KEYS[scope].public_key()) for scope in (Scope("@acme"), None))
    assert trusted.find(f"@acme/{acme}", None) is None
    assert trusted.find(f"../@acme/{acme}", Product("@acm/menu")) is None
    assert trusted.find(f"./{vendor}", None) is None


def test_an_envelope_of_very_many_signatures_is_refused_unread(trusted: TrustedKeys) -> None:
    one = seal(KIND, b"{}", KEYS[None])
    signature = one[one.index(b'{"keyid"') : one.rindex(b"]")]
    many = one.replace(signature, b",".join([signature] * (MAX_SIGNATURES + 1)))
    with pytest.raises(Failed, match="more than 16 signatures"):
        unseal(KIND, many, trusted, "it")


@given(st.binary(max_size=64), st.lists(st.integers(0, 40), min_size=1, max_size=40))
@example(b"", list(range(2 * MAX_SIGNATURES)))
def test_signatures_are_added_to_the_same_payload_and_never_too_many(payload: bytes, order: list[int]) -> None:
    keys = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in order]
    ids = [key_id_of(key.public_key()) for key in keys]
    ring = KeyRing(*(TrustedKey(key.public_key()) for key in keys))
    sealed = seal(KIND, payload, keys[0])
    for key in keys[1:]:
        sealed = add_signature(KIND, sealed, key, ids)
    assert unseal(KIND, sealed, ring, "it") == payload
    newest_first = list(dict.fromkeys(reversed(ids)))
    assert signers(KIND, sealed, ring) == set(newest_first[:MAX_SIGNATURES])
    alone = add_signature(KIND, sealed, STRANGER, [])
    assert signers(KIND, alone, ring) == set()


@given(st.text(max_size=8) | names)
def test_a_scope_is_what_products_begin_with(text: str) -> None:
    try:
        scope = parse_scope(text)
    except Invalid:
        with pytest.raises(Invalid):
            parse_product(f"{text}/x" if text.startswith("@") else f"@{text}/x/")
    else:
        assert scope_of(parse_product(f"{scope}/x")) == scope


def test_a_key_may_be_trusted_for_several_tenants_and_is_distrusted_for_all(tmp_path: Path) -> None:
    keys = KeyFiles(tmp_path / "keys")
    key_id, public = create_key_pair(tmp_path / "agency.pem")
    for scope in ("@acme", "@beta"):
        assert keys.trust(public, Scope(scope)) == key_id
    trusted = keys.trusted_keys()
    assert [key.scope for key in trusted] == ["@acme", "@beta"]
    assert trusted.find(key_id, Product("@beta/menu")) is not None
    assert trusted.find(key_id, Product("@zeta/menu")) is None
    keys.distrust(key_id)
    assert list(trusted) == []


def test_a_vendors_key_is_not_narrowed_in_silence(tmp_path: Path) -> None:
    keys = KeyFiles(tmp_path / "keys")
    _, public = create_key_pair(tmp_path / "key.pem")
    keys.trust(public)
    with pytest.raises(Refused, match="trusted for everything already"):
        keys.trust(public, Scope("@acme"))


def test_a_file_under_another_keys_name_is_told(tmp_path: Path) -> None:
    keys = KeyFiles(tmp_path / "keys")
    _, public = create_key_pair(tmp_path / "key.pem")
    named = tmp_path / "keys" / "trusted" / f"{'0' * 64}.pem"
    named.parent.mkdir(parents=True)
    named.write_bytes(public.read_bytes())
    with pytest.raises(Failed, match="is not named by its key's id"):
        keys.trusted_keys().find("0" * 64, None)
    with pytest.raises(Failed, match="is not named by its key's id"):
        list(keys.trusted_keys())


def test_a_new_key_is_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "acme.pem"
    key_id, public = create_key_pair(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert key_id_of(load_private_key(file).public_key()) == key_id
    before = file.read_bytes(), public.read_bytes()
    with pytest.raises(Refused, match="never written over"):
        create_key_pair(file)
    file.unlink()
    with pytest.raises(Refused, match="never written over"):
        create_key_pair(file)
    assert public.read_bytes() == before[1]


@pytest.mark.parametrize(("mode", "is_refused"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path, mode: int, *, is_refused: bool) -> None:
    file = tmp_path / "acme.pem"
    create_key_pair(file)
    file.chmod(mode)
    if is_refused:
        with pytest.raises(Refused, match=f"can be read by others \\(mode {mode:04o}\\)"):
            load_private_key(file)
    else:
        load_private_key(file)
