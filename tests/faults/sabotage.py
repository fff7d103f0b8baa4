"""The table of sabotage twins: what is planted where, and the test that has to turn red.

`tests/faults/twins.py` plants them. Each names one narrow test, so that a run takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Twin:
    """In `file`, `old` becomes `new`, and `test` has to turn red."""

    name: str
    file: str
    old: str
    new: str
    test: str


def _in(file: str, tests: str, *table: tuple[str, str, str, str]) -> Iterator[Twin]:
    """Twins in one file, whose tests are in one file."""
    for name, old, new, test in table:
        yield Twin(name, file, old, new, f"tests/{tests}.py::{test}")


_DECIDING = (
    *_in(
        "ledger/journal.py",
        "ledger/test_decide",
        (
            "a repeated id is not looked up",
            "earlier = self.posted.get(entry.id)",
            "earlier = None",
            "test_posting_twice_answers_the_same_and_posts_once",
        ),
        (
            "the content of a repetition is not compared",
            "    if not same:\n",
            "    if not same and entry.reverses:\n",
            "test_the_same_id_with_other_content_is_refused",
        ),
        (
            "the floor is compared with what was there before",
            "after.balance < source.floor and",
            "source.balance < source.floor and",
            "test_a_floor_may_be_reached_and_not_passed",
        ),
        (
            "a refused entry leaves a part of it behind",
            "trial[source.id] = after",
            "trial[source.id] = self.moved[source.id] = after",
            "test_one_bad_transfer_refuses_the_whole_entry",
        ),
    ),
    *_in(
        "ledger/journal.py",
        "ledger/test_reversal",
        (
            "an entry may be reversed again",
            "        if entry.reverses in self.reversed_by:\n",
            "        if entry.reverses in self.reversed_by and not entry.transfers:\n",
            "test_an_entry_is_undone_once",
        ),
    ),
    *_in(
        "ledger/chain.py",
        "ledger/test_chain",
        (
            "the chain omits how many minutes moved",
            "        *(8, minutes.count),\n",
            "        *(8, 0),\n",
            "test_every_fact_of_a_transfer_is_hashed",
        ),
        (
            "the chain omits the hash before",
            "        *(32, previous),\n",
            "        *(32, bytes(32)),\n",
            "test_every_fact_of_a_transfer_is_hashed",
        ),
        (
            "a commitment leaves out its salt",
            "                _field(salt),\n",
            "",
            "test_a_second_program_computes_the_same_commitment",
        ),
    ),
)

_STORING = (
    *_in(
        "ledger/sql/store.py",
        "ledger/test_concurrency",
        (
            "on PostgreSQL, the head is not locked",
            "        .with_for_update(key_share=True)\n",
            "",
            "test_a_hundred_spend_one_account_down_to_its_floor[postgres]",
        ),
        (
            "accounts are locked before the head",
            "    await lock(conn, community)\n"
            "    known = await _driver(conn).accounts(conn, community, wanted)\n",
            '    await conn.exec_driver_sql("SELECT 1")\n'
            "    known = await _driver(conn).accounts(conn, community, wanted)\n"
            "    await lock(conn, community)\n",
            "test_changing_accounts_and_posting_do_not_block_each_other[postgres]",
        ),
    ),
    *_in(
        "ledger/sql/store.py",
        "ledger/test_concurrency",
        (
            "earlier reversals are not loaded",
            "        if row.reverses_id in reversed_ids:",
            "        if row.reverses_id in reversed_ids and row.position > 1:",
            "test_twenty_undo_one_entry_and_it_is_undone_once[sqlite]",
        ),
    ),
    *_in(
        "ledger/sql/_sqlite.py",
        "faults/test_histories",
        (
            "balances are settled in a transaction of their own",
            "        if written.rowcount != len(values):\n            return False\n",
            "        if written.rowcount != len(values):\n            return False\n"
            "        if statement is not _APPEND:\n"
            '            await conn.exec_driver_sql("COMMIT")\n'
            '            await conn.exec_driver_sql("BEGIN IMMEDIATE")\n',
            "test_a_short_history_has_no_anomaly[sqlite]",
        ),
    ),
    *_in(
        "ledger/sql/_postgres.py",
        "faults/test_histories",
        (
            "on PostgreSQL, a closed account is not looked at again",
            " AND account.closed_at IS NULL\n",
            "\n",
            "test_a_short_history_has_no_anomaly[postgres]",
        ),
    ),
    *_in(
        "ledger/sql/ledger.py",
        "faults/test_histories",
        (
            "a refusal is decided on what is remembered",
            "                if not all(isinstance(verdict, Posted) for "
            "verdict in decision.verdicts):\n                    raise _WrongGuess\n",
            "                if not decision.transfers:\n                    return decision\n",
            "test_a_refusal_is_decided_on_what_stands_now",
        ),
        (
            "the answer comes before the commit",
            "        async with self._write(community) as conn:\n"
            "            state, decision = await store.settle(conn, community, entries, at)\n",
            "        import asyncio\n"
            "        opened = self._write(community)\n"
            "        conn = await opened.__aenter__()\n"
            "        state, decision = await store.settle(conn, community, entries, at)\n"
            "        async def later() -> None:\n"
            "            await asyncio.sleep(0.05)\n"
            "            await opened.__aexit__(None, None, None)\n"
            "        self._later = asyncio.create_task(later())\n",
            "test_a_short_history_has_no_anomaly[sqlite]",
        ),
    ),
    *_in(
        "ledger/group_commit.py",
        "faults/test_histories",
        (
            "who goes away takes the posting along",
            "        return [await answer for answer in answers]\n",
            "        try:\n            return [await answer for answer in answers]\n"
            "        except asyncio.CancelledError:\n"
            "            line.waiting = deque(w for w in line.waiting if w.answer not in answers)\n"
            "            raise\n",
            "test_a_short_history_has_no_anomaly[sqlite]",
        ),
    ),
    *_in(
        "ledger/sql/_postgres.py",
        "ledger/test_ledger",
        (
            "on PostgreSQL, a floor is judged outside the lock",
            "account.floor IS NOT DISTINCT FROM moved.floor AND ",
            "",
            "test_a_floor_set_meanwhile_holds_for_the_next_posting[postgres]",
        ),
    ),
    *_in(
        "ledger/sql/_sqlite.py",
        "ledger/test_ledger",
        (
            "on SQLite, a floor changed meanwhile goes unnoticed",
            "AND floor IS ?",
            "AND (floor IS ? OR true)",
            "test_a_floor_set_meanwhile_holds_for_the_next_posting[sqlite]",
        ),
    ),
    *_in(
        "ledger/sql/ledger.py",
        "ledger/test_ledger",
        (
            "a second try takes a new id",
            "        entries = [entry for entry, _ in asks]\n",
            "        from dataclasses import replace\n"
            "        from uuid import uuid4\n"
            "        entries = [replace(entry, id=uuid4()) for entry, _ in asks]\n",
            "test_a_connection_lost_around_commit_neither_loses_nor_doubles",
        ),
    ),
    *_in(
        "ledger/group_commit.py",
        "ledger/test_group_commit",
        (
            "the verdicts of a group are mixed up",
            "in zip(group, answers, strict=True):",
            "in zip(group, answers[::-1], strict=True):",
            "test_each_gets_the_answers_to_their_own_asks_in_their_order",
        ),
        (
            "the line has no end",
            "            raise Busy\n",
            "            pass\n",
            "test_a_full_line_says_busy_at_once_and_takes_nothing",
        ),
        (
            "a lost connection is not tried again",
            "                    if not self._lost(error) or loop.time() + pause >= given_up:\n",
            "                    if error:\n",
            "test_after_a_lost_connection_the_same_group_is_committed_again",
        ),
        (
            "one at fault takes the others along",
            "            if len(group) == 1 or self._lost(error):\n",
            "            if error:\n",
            "test_only_the_one_at_fault_fails",
        ),
        (
            "those behind a broken line are told that nobody knows",
            "            line.waiting.popleft().fail(Busy())",
            "            line.waiting.popleft().fail(Unknown())",
            "test_after_some_patience_those_in_the_group_hear_unknown_and_those_behind_busy",
        ),
        (
            "each is committed alone",
            "                size = min(len(line.waiting), self._most_together)\n",
            "                size = 1\n",
            "test_whoever_came_meanwhile_is_committed_together",
        ),
    ),
    *_in(
        "ledger/sql/guards.py",
        "ledger/test_append_only",
        (
            "on SQLite, nothing guards against REPLACE",
            '        statements.append(_trigger(dialect, table, "unreplaced", "INSERT", taken))\n',
            "        assert taken\n",
            "test_sqlite_cannot_replace_a_transfer_by_any_of_its_keys",
        ),
        (
            "nothing guards against UPDATE",
            '    updates = _trigger(dialect, table, "kept", f"UPDATE{columns}")\n',
            '    updates = _trigger(dialect, table, "kept", f"UPDATE{columns}", "1 = 0")\n',
            "test_hostile_statements_are_refused_and_change_nothing",
        ),
        (
            "the head may go back",
            '"NEW.seq < OLD.seq OR NEW.posted_at',
            '"NEW.posted_at',
            "test_hostile_statements_are_refused_and_change_nothing",
        ),
    ),
)

_PROVING = (
    *_in(
        "ledger/proof.py",
        "ledger/test_tamper",
        (
            "verifying does not re-add balances",
            "        if account.balance.count != balance:",
            "        if account.balance.count is None:",
            "test_a_change_by_hand_is_found",
        ),
        (
            "verifying does not re-hash",
            "        elif hash != digest(row):",
            "        elif len(hash) != 32:",
            "test_a_change_by_hand_is_found",
        ),
        (
            "verifying ignores anchors beyond the end",
            "        for seq in sorted(self._anchors):",
            "        for seq in ():",
            "test_an_end_cut_off_cleanly_is_found_by_an_anchor_only",
        ),
    ),
    *_in(
        "ledger/sql/verify.py",
        "ledger/test_tamper",
        (
            "verifying skips the last row of each chunk",
            "        for row in rows:\n            proof.transfer(row)\n",
            "        for row in list(rows)[:-1]:\n            proof.transfer(row)\n",
            "test_books_that_nobody_touched_are_sound",
        ),
    ),
    *_in(
        "ledger/export.py",
        "ledger/test_exports",
        (
            "the export leaves the source's side out",
            "        (row.source_id, -row.minutes, row.source_balance),\n",
            "        (row.source_id, row.minutes, row.source_balance),\n",
            "test_hledger_finds_the_same_balances",
        ),
    ),
)

_KEEPING = (
    *_in(
        "timebank/db.py",
        "timebank/test_db",
        (
            "synchronous=NORMAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA synchronous = NORMAL",
            "test_sqlite_is_told_to_forget_nothing",
        ),
        (
            "a write is not committed",
            "async with self._one_writer, self._writer.begin() as conn:",
            "async with self._one_writer, self._writer.connect() as conn:",
            "test_leaving_a_write_block_commits_and_raising_rolls_back[sqlite]",
        ),
        (
            "a reader may write",
            '            cursor.execute("PRAGMA query_only = ON")\n',
            "            pass\n",
            "test_a_reader_cannot_write[sqlite]",
        ),
        (
            "rows may point nowhere",
            '        cursor.execute("PRAGMA foreign_keys = ON")\n',
            "",
            "test_sqlite_is_told_to_forget_nothing",
        ),
    ),
    *_in(
        "timebank/db.py",
        "faults/test_histories",
        (
            "a reader sees every statement's own picture",
            "                conn = await conn.execution_options(\n"
            '                    isolation_level="REPEATABLE READ", postgresql_readonly=True\n',
            "                conn = await conn.execution_options(\n"
            '                    isolation_level="READ COMMITTED", postgresql_readonly=True\n',
            "test_a_short_history_has_no_anomaly[postgres]",
        ),
    ),
)

_THE_DOOR = (
    *_in(
        "timebank/posting_rules.py",
        "timebank/test_posting",
        (
            "a coordinator approves their own gain",
            "    if gains and not stood_in:\n",
            "    if gains and not stood_in and scene.coordinators == 0:\n",
            "test_a_coordinator_cannot_approve_an_entry_they_gain_from",
        ),
        (
            "a second approval is a mistake",
            "    if entry.state is State.APPROVED:\n        return _replay(entry)\n"
            "    settlement_posting.refuse_moved(entry, scene.settlements)\n",
            "    settlement_posting.refuse_moved(entry, scene.settlements)\n",
            "test_a_double_click_is_a_success_and_posts_once",
        ),
        (
            "undoing again takes a new id",
            '    return uuid5(entry_id, "reversal")\n',
            "    return uuid5(entry_id, str(object()))\n",
            "test_an_undone_entry_leaves_a_pair_and_no_arithmetic",
        ),
    ),
    *_in(
        "timebank/posting_record.py",
        "timebank/test_posting",
        (
            "the audit of a posting is left out",
            "    await audit.write_many(conn, "
            "[_audited(scene, act) for act in told], now=scene.now)\n",
            "",
            "test_everything_about_a_posting_is_written_with_it",
        ),
        (
            "nobody is told of a posting",
            "    await notices.entry_steps(conn, scene.place.id, news, now=scene.now)\n",
            "    assert news\n",
            "test_everything_about_a_posting_is_written_with_it",
        ),
    ),
    *_in(
        "timebank/posting_scene.py",
        "timebank/test_races",
        (
            "an entry is not locked while it is posted",
            "    await entry_steps.lock(conn, community, ids)\n",
            "",
            "test_an_approval_waits_for_a_step_that_is_being_taken[postgres]",
        ),
    ),
    *_in(
        "timebank/entry_steps.py",
        "timebank/test_races",
        (
            "an entry is not locked while a step is taken",
            "    await lock(conn, community, [entry_id])\n    entry = await seen",
            "    entry = await seen",
            "test_two_steps_at_once_are_taken_one_after_the_other[postgres]",
        ),
    ),
    *_in(
        "timebank/db.py",
        "timebank/test_replicas",
        (
            "a commit that no standby has is taken for a yes",
            "            if conn.info.pop(_ALONE, False):\n",
            "            if conn.info.pop(_ALONE, False) and False:\n",
            "test_a_commit_that_stopped_waiting_for_the_standby_is_not_a_yes",
        ),
    ),
    *_in(
        "timebank/replicas.py",
        "timebank/test_replicas",
        (
            "a standby is believed whatever it knows",
            "        while not await driver.fetchval(_REACHED, place):\n",
            "        while not await driver.fetchval(_REACHED, place) and loop is None:\n",
            "test_a_replica_that_is_cut_off_is_left_alone",
        ),
        (
            "what we wrote ourselves is not asked of a standby",
            '        self._writes += 1\n        self._asked = float("-inf")\n',
            "        self._writes += 1\n",
            "test_a_replica_that_is_cut_off_is_left_alone",
        ),
    ),
    *_in(
        "timebank/mail.py",
        "timebank/test_outbox",
        (
            "a mail sent again has another id",
            "<{row.id}@{host}>",
            "<{id(row)}@{host}>",
            "test_after_a_crash_between_sending_and_marking_the_id_is_the_same",
        ),
    ),
    *_in(
        "timebank/mail.py",
        "timebank/test_outbox",
        (
            "two senders take the same mail",
            "        .with_for_update(skip_locked=True)\n",
            "",
            "test_of_many_senders_at_once_one_sends_each_mail",
        ),
    ),
)

_RIGHTS = (
    *_in(
        "ledger/sql/rights.py",
        "timebank/test_rows_apart",
        (
            "rows of other communities are shown",
            "USING ({ours}) WITH CHECK ({ours})",
            "USING (true) WITH CHECK ({ours})",
            "test_nothing_of_another_community_is_visible",
        ),
        (
            "rows of other communities are taken",
            "USING ({ours}) WITH CHECK ({ours})",
            "USING ({ours}) WITH CHECK (true)",
            "test_nothing_is_put_into_another_community",
        ),
        (
            "the owner is not held to rows apart",
            '        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",\n',
            "",
            "test_the_owner_is_held_to_it_too",
        ),
    ),
    *_in(
        "ledger/sql/rights.py",
        "ledger/test_hostile_statements",
        (
            "the program may change any pragma",
            "            return first in _ASKED and (second is None or first in _DESCRIBING)\n",
            "            return first in _ASKED\n",
            "test_hostile_statements_on_the_program_s_own_connection_change_nothing[sqlite]",
        ),
        (
            "the program may delete on SQLite",
            "            return rights is not None and rights.delete\n",
            "            return rights is not None\n",
            "test_hostile_statements_on_the_program_s_own_connection_change_nothing[sqlite]",
        ),
    ),
)

_STRANGERS = (
    *_in(
        "verifier/verify_books.py",
        "ledger/test_second_verifier",
        (
            "the second verifier does not re-hash",
            'if row["hash"] != digest(self.community, row):',
            'if len(row["hash"]) != 32:',
            "test_tampering_is_found_by_both",
        ),
    ),
    *_in(
        "verifier/verify_books.py",
        "ledger/test_second_verifier",
        (
            "the second verifier ignores anchors beyond the end",
            "        for seq in sorted(self.anchors):",
            "        for seq in ():",
            "test_an_end_cut_off_cleanly_is_found_by_every_anchor_beyond_it",
        ),
    ),
    *_in(
        "ledger/sql/book.py",
        "ledger/test_second_verifier",
        (
            "the export leaves out the last row of each chunk",
            "        for row in rows:\n            yield book.transfer(row)",
            "        for row in rows[:-1]:\n            yield book.transfer(row)",
            "test_both_databases_give_the_same_book_byte_for_byte_in_pieces_of_any_size",
        ),
    ),
    *_in(
        "ledger/proof.py",
        "ledger/test_second_verifier",
        (
            "proving takes any hash for an anchor's",
            "if not all(hash.startswith(noted) for",
            "if not all(noted for",
            "test_a_journal_written_anew_is_found_by_every_anchor_from_there_on",
        ),
    ),
    *_in(
        "timebank/books.py",
        "timebank/test_anchors",
        (
            "verify ignores anchors from outside",
            "anchors = [*anchors, *await _anchors(conn, community)]",
            "anchors = await _anchors(conn, community)",
            "test_books_are_held_against_anchors_from_outside",
        ),
    ),
    *_in(
        "timebank/anchors.py",
        "timebank/test_anchors",
        (
            "whether it was mailed is not looked up again under the lock",
            "    if anchor is None or await _is_mailed(conn, community, now):",
            "    if anchor is None:",
            "test_several_processes_at_the_same_moment_send_it_once",
        ),
    ),
)

_UNDER_FAULTS = (
    *_in(
        "web/entries.py",
        "faults/test_faults",
        (
            "an approval is answered before it is done",
            "    (verdict,) = await posting.post(database(request), [asked], now=now(request))\n",
            '    __import__("asyncio").ensure_future(\n'
            "        posting.post(database(request), [asked], now=now(request))\n"
            "    )\n"
            "    return None\n",
            "test_nothing_is_lost_and_nothing_is_doubled[kill-app-sqlite-1]",
        ),
    ),
    *_in(
        "ledger/group_commit.py",
        "faults/test_faults",
        (
            "a line cut inside COMMIT is not tried again",
            "                    if not self._lost(error) or loop.time() + pause >= given_up:\n"
            "                        raise\n",
            "                    raise\n",
            "test_nothing_is_lost_and_nothing_is_doubled[cut-commit-door]",
        ),
    ),
)

TWINS: tuple[Twin, ...] = (
    *_DECIDING,
    *_STORING,
    *_PROVING,
    *_KEEPING,
    *_THE_DOOR,
    *_RIGHTS,
    *_STRANGERS,
    *_UNDER_FAULTS,
)
