from fixtures.api import Api
from gateproof.verdict.claim import requirement
@requirement("AUTH-001", requests=1, smoke=True)
def test_a_valid_key_is_served(api: Api) -> None:
    assert api.chat().status == 200
