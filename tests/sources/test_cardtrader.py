"""CardTrader as a source, against the simulator and against servers with fixed answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from penstock.errors import (
    InvalidInputError,
    RateLimitedError,
    SourceRefusedError,
    SourceUnavailableError,
)
from penstock.http.client import HttpLimits
from penstock.http.download import DownloadLimits
from penstock.http.governor import Governor, LocalBudget
from penstock.inventory.source import InventorySourceConfig
from penstock.simulator.server import SimulatorSettings, running
from penstock.sources.cardtrader import _REQUESTS_IN_WINDOW, _WINDOW_S, CardTraderSource
from tests import virtual_time
from tests.api.steps import steps_on_the_loop
from tests.memory import forget_peak, peak_bytes
from tests.served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.sources.cardtrader import CardTraderAccount
    from tests.conftest import Say
    from tests.trials import Trials
    from tests.virtual_time import VirtualLoop

HASTY = HttpLimits(attempts=3, backoff_s=0.01, longest_pause_s=0.0, deadline_s=10)
EXPORT = DownloadLimits(attempts=3, backoff_s=0.01)


class Simulated:
    """A simulated seller, and a session that sets its faults."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    def account(self, token: str = "demo", **config: Any) -> CardTraderAccount:  # noqa: S107
        given: dict[str, Any] = {"base_url": self.url, "http": HASTY, "export": EXPORT} | config
        return CardTraderSource(InventorySourceConfig(**given)).account(token)

    async def faults(self, *faults: dict[str, object]) -> None:
        async with self._session.put(f"{self.url}/simulator/faults", json=list(faults)) as response:
            assert response.status == 200, await response.text()

    async def asked(self, path: str) -> int:
        async with self._session.get(f"{self.url}/simulator/requests?limit=10000") as response:
            return sum(request["path"] == path for request in (await response.json())["newest"])


@pytest.fixture
async def simulated() -> AsyncIterator[Simulated]:
    settings = SimulatorSettings(symbols=2, accounts=("demo:400", "other:5"))
    async with running(settings) as url, aiohttp.ClientSession() as session:
        yield Simulated(url, session)


@contextlib.asynccontextmanager
async def answering(
    body: bytes, *, status: int = 200, headers: dict[str, str] | None = None
) -> AsyncIterator[CardTraderAccount]:
    """An account at a marketplace that answers everything with `body`."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers=headers)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with served(app) as url:
        config = InventorySourceConfig(
            base_url=url,
            http=HttpLimits(attempts=1, longest_pause_s=0),
            export=DownloadLimits(attempts=1),
        )
        async with CardTraderSource(config).account("demo") as account:
            yield account


async def exported(account: CardTraderAccount) -> bytes:
    async with account.export() as body:
        return b"".join([block async for block in body.blocks()])


async def test_the_source_reads_the_account_and_the_catalogue(simulated: Simulated) -> None:
    async with simulated.account() as account:
        assert (await account.seller()).user_id == 1001
        games = await account.games()
        categories = await account.categories(games[0].id)
        expansions, stocked = await account.expansions(), await account.expansions(stocked=True)
        blueprints = await account.blueprints(expansions[0].id)
    assert len(games) == 5
    assert {category.game_id for category in categories} == {games[0].id}
    assert any(
        property_.name == "condition" and "Near Mint" in property_.possible_values
        for category in categories
        for property_ in category.properties
    )
    assert 0 < len(stocked) <= len(expansions) == 104
    assert {blueprint.expansion_id for blueprint in blueprints} == {expansions[0].id}
    assert any(blueprint.cardmarket_ids and blueprint.scryfall_id for blueprint in blueprints)


async def test_arrays_are_read_in_a_wrapper_and_without_one(simulated: Simulated) -> None:
    async with simulated.account() as account:
        bare = await account.expansions(), await account.games()
        for wrapped in (True, False):
            await simulated.faults({"name": "array", "wrapped": wrapped})
            assert (await account.expansions(), await account.games()) == bare


async def test_data_that_is_not_ready_is_requested_again(simulated: Simulated) -> None:
    await simulated.faults({"name": "not_ready", "count": 2})
    async with simulated.account() as account:
        assert (await exported(account))[:1] == b"["
        await simulated.faults({"name": "not_ready", "count": 2})
        assert len(await account.games()) == 5
        await simulated.faults({"name": "not_ready"})
        with pytest.raises(SourceUnavailableError, match="not ready"):
            await exported(account)


@pytest.mark.parametrize("code", [401, 403])
async def test_a_refused_token_is_not_tried_again(simulated: Simulated, code: int) -> None:
    await simulated.faults({"name": "unauthorized", "code": code})
    async with simulated.account() as account:
        with pytest.raises(SourceRefusedError, match=f"HTTP {code}"):
            await account.seller()
        with pytest.raises(SourceRefusedError, match=f"HTTP {code}"):
            await exported(account)
    assert (
        await simulated.asked("/api/v2/info")
        == await simulated.asked("/api/v2/products/export")
        == 1
    )


async def test_another_404_is_a_refusal(simulated: Simulated) -> None:
    async with simulated.account() as account:
        with pytest.raises(SourceRefusedError, match="no expansion"):
            await account.blueprints(999_999)


@pytest.mark.parametrize("code", [500, 502, 503, 504])
async def test_a_failing_server_is_tried_again_also_when_it_answers_with_a_page(
    simulated: Simulated, code: int
) -> None:
    async with simulated.account() as account:
        await simulated.faults({"name": "server_error", "code": code, "count": 2})
        assert (await account.seller()).user_id == 1001
        await simulated.faults({"name": "server_error", "code": code, "count": 2})
        assert (await exported(account))[-1:] == b"]"


async def test_a_page_instead_of_data_is_named_as_such(simulated: Simulated) -> None:
    await simulated.faults({"name": "html", "status": 200})
    async with simulated.account() as account:
        for ask in (account.seller, account.games):
            with pytest.raises(SourceUnavailableError, match="HTML page"):
                await ask()


async def test_a_429_without_retry_after_is_a_pause_of_a_whole_window(simulated: Simulated) -> None:
    await simulated.faults({"name": "rate_limit", "count": 1})
    async with simulated.account() as account:
        with pytest.raises(RateLimitedError) as raised:
            await account.seller()
        assert raised.value.retry_after_s == 10
        with pytest.raises(RateLimitedError):
            await exported(account)
    assert await simulated.asked("/api/v2/info") == 1
    assert await simulated.asked("/api/v2/products/export") == 0


def test_no_window_of_10_seconds_has_more_than_160_requests(trials: Trials, say: Say) -> None:
    async def sending(loop: VirtualLoop, pauses: list[float]) -> list[float]:
        governor = Governor(
            _REQUESTS_IN_WINDOW,
            LocalBudget(loop.time, window_s=_WINDOW_S),
            share=1.0,
            clock=loop.time,
        )
        sent = []
        for pause in pauses:
            # Most follow at once, for the highest rate.
            await asyncio.sleep(pause if pause > 2.8 else 0)
            await governor.admit(1, longest_pause_s=0)
            sent.append(loop.time())
        return sent

    count = trials.of(10, 200)

    @seed(trials.seed)
    @settings(max_examples=count)
    @given(
        st.lists(st.floats(0, 3, allow_nan=False), min_size=200, max_size=300),
        st.floats(0, 100, allow_nan=False),
    )
    def check(pauses: list[float], start: float) -> None:
        sent = virtual_time.run(lambda loop: sending(loop, pauses), start=start)
        assert max(sum(first <= at < first + 10 for at in sent) for first in sent) <= 160

    check()
    say(f"seed {trials.seed}, n = {count} schedules of 200 requests or more")


async def test_each_token_has_its_own_budget_whose_name_does_not_reveal_the_token(
    simulated: Simulated,
) -> None:
    budgets: dict[str, LocalBudget] = {}

    def budget(name: str, window_s: int) -> LocalBudget:
        return budgets.setdefault(name, LocalBudget(window_s=window_s))

    for token in ("demo", "demo", "other"):
        async with simulated.account(token, budget=budget) as account:
            await account.seller()
    assert len(budgets) == 2
    assert not any("demo" in name or "other" in name for name in budgets)


async def test_rows_of_the_catalogue_that_cannot_be_read_are_left_out() -> None:
    async with answering(
        b'[{"id":1,"game_id":1,"code":"a","name":"A","new":[1]},{"id":"x"},null,'
        b'{"id":2,"game_id":1,"code":"b","name":"B"}]'
    ) as account:
        assert [expansion.id for expansion in await account.expansions()] == [1, 2]


async def test_a_blueprint_may_have_one_cardmarket_id_or_several_or_none() -> None:
    fields = '"name":"A","game_id":1,"category_id":1,"expansion_id":1'
    ids = ('"card_market_id":5', '"card_market_ids":[6,7]', '"card_market_id":null')
    rows = ",".join(f'{{"id":{number},{fields},{given}}}' for number, given in enumerate(ids, 1))
    async with answering(f"[{rows}]".encode()) as account:
        assert [blueprint.cardmarket_ids for blueprint in await account.blueprints(1)] == [
            (5,),
            (6, 7),
            (),
        ]


async def test_catalogue_ids_may_be_numbers_or_text_and_an_unreadable_field_keeps_its_row() -> None:
    rows = [
        {
            "id": "1",
            "name": "A",
            "game_id": 1,
            "category_id": "1.0",
            "expansion_id": "8",
            "tcg_player_id": "180397",
            "scryfall_id": "s",
        },
        {
            "id": 2.0,
            "name": 1996,
            "game_id": "1",
            "category_id": 1,
            "expansion_id": None,
            "tcg_player_id": 180398.0,
            "card_market_ids": ["5", None, 6.0, "x"],
        },
        {
            "id": 3,
            "name": None,
            "game_id": 1,
            "category_id": 1,
            "tcg_player_id": "none",
            "scryfall_id": ["s"],
            "card_market_id": "7",
            "version": 2,
        },
        {"id": 4, "name": "no game", "game_id": None, "category_id": 1},
        {"id": "four", "name": "no id", "game_id": 1, "category_id": 1},
    ]
    async with answering(json.dumps(rows).encode()) as account:
        first, second, third = await account.blueprints(None)
    assert (
        first.id,
        first.category_id,
        first.expansion_id,
        first.tcg_player_id,
        first.scryfall_id,
    ) == (1, 1, 8, 180_397, "s")
    assert (
        second.id,
        second.name,
        second.expansion_id,
        second.tcg_player_id,
        second.cardmarket_ids,
    ) == (2, "1996", None, 180_398, (5, 6))
    assert (
        third.id,
        third.name,
        third.tcg_player_id,
        third.scryfall_id,
        third.cardmarket_ids,
        third.version,
    ) == (3, "", None, None, (7,), "2")


async def test_expansions_games_categories_and_the_seller_are_read_in_each_form() -> None:
    async with answering(b'[{"id":"8","game_id":1.0,"code":10,"name":null}]') as account:
        [expansion] = await account.expansions()
    assert (expansion.id, expansion.game_id, expansion.code, expansion.name) == (8, 1, "10", "")
    async with answering(b'{"array":[{"id":"1","name":"Magic","display_name":7}]}') as account:
        [game] = await account.games()
    assert (game.id, game.name, game.display_name) == (1, "Magic", "7")
    async with answering(
        b'[{"id":"1","game_id":"1","name":"Cards","properties":[{"name":null}]}]'
    ) as account:
        [category] = await account.categories()
    assert (category.id, category.properties) == (1, ())
    async with answering(b'{"id":"7","name":2,"user_id":"51242"}') as account:
        assert (await account.seller()).user_id == 51_242


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"error":"x"}',
        b"[",
        b"[" * 100_000,
        b"\xff",
        b"<html>",
        b'{"array":5}',
    ],
)
async def test_a_body_that_makes_no_sense_is_an_error_that_can_be_retried(body: bytes) -> None:
    async with answering(body) as account:
        for ask in (account.seller, account.games):
            with pytest.raises(SourceUnavailableError):
                await ask()


async def test_an_encoding_that_was_not_requested_is_refused() -> None:
    async with answering(b"[]", headers={"Content-Encoding": "br"}) as account:
        with pytest.raises(SourceUnavailableError, match="br"):
            await exported(account)


@pytest.mark.parametrize("token", ["", "two words", "line\nend", "naïve", "x" * 9_000])
def test_text_that_cannot_be_a_token_is_refused_before_any_request(token: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^token: "):
        CardTraderSource(InventorySourceConfig()).account(token)


async def test_an_export_that_does_not_begin_stalls_or_takes_too_long_is_abandoned(
    simulated: Simulated,
) -> None:
    await simulated.faults({"name": "hang"})
    async with simulated.account(export=DownloadLimits(attempts=1, first_byte_s=0.2)) as account:
        with pytest.raises(
            SourceUnavailableError,
            match=r"no data for 0\.2 s \(PENSTOCK_EXPORT_FIRST_BYTE_S\)",
        ):
            await exported(account)
    await simulated.faults({"name": "slow", "bytes": 1_000, "pause_ms": 60_000})
    async with simulated.account(export=DownloadLimits(idle_s=0.2)) as account:
        with pytest.raises(SourceUnavailableError, match="no data"):
            await exported(account)
    await simulated.faults({"name": "slow", "bytes": 10, "pause_ms": 20})
    async with simulated.account(export=DownloadLimits(total_s=0.5)) as account:
        with pytest.raises(SourceUnavailableError, match="took longer"):
            await exported(account)


@pytest.mark.parametrize("wrap", ["[%s]", '{"array":[%s]}'])
async def test_a_list_is_decoded_off_the_loop_up_to_a_number_of_rows(wrap: str) -> None:
    rows = [f'{{"id":{number},"game_id":1}}' for number in range(1, 50_002)]
    async with answering((wrap % ",".join(rows[:-1])).encode()) as account:
        with steps_on_the_loop() as steps:
            assert len(await account.expansions()) == 50_000
    assert steps.most <= 2_000, steps
    async with answering((wrap % ",".join(rows)).encode()) as account:
        for ask in (account.expansions, account.games, account.categories):
            with pytest.raises(SourceUnavailableError, match="more than 50,000 rows"):
                await ask()
    async with answering(b"[" + b"0," * 15_000_000 + b"0]") as account:
        forget_peak()
        before = peak_bytes()
        with pytest.raises(SourceUnavailableError, match="more than 50,000 rows"):
            await account.expansions()
        # Twice the body, and a little.
        assert peak_bytes() - before < 80_000_000
