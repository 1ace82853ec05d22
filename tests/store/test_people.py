"""Who is who: what each feed says, which is believed, and who may see it."""

from __future__ import annotations

import io
import pwd
from typing import TYPE_CHECKING

import msgspec
import pytest

from dkumonitor.accounts.roles import Role
from dkumonitor.errors import PeopleError
from dkumonitor.render import Form, render
from dkumonitor.store import people_csv
from dkumonitor.store.people import CSV, EVERYWHERE, GETENT, LDAP, Entry, People, Person, replace
from dkumonitor.store.people_passwd import listed
from dkumonitor.store.people_view import LISTING
from dkumonitor.store.tables import COMPONENT
from dkumonitor.views import Question, Sources, Viewer
from tests import corpus

if TYPE_CHECKING:
    from dkumonitor.store.engine import Store
    from tests.store.conftest import Database

HERE, ELSEWHERE = "example", "other"


@pytest.fixture
def store(database: Database) -> Store:
    return database.upgraded(COMPONENT)


def by_login(store: Store, *logins: str, host: str = HERE) -> dict[str, Person]:
    with store.reading() as connection:
        return People(connection, host).by_login(logins)


def by_uid(store: Store, *uids: int, host: str = HERE) -> dict[int, str]:
    with store.reading() as connection:
        return {uid: person.login for uid, person in People(connection, host).by_uid(uids).items()}


def test_the_file_comes_before_the_directory_and_that_before_the_machine_field_by_field(store: Store) -> None:
    replace(store, GETENT, HERE, [Entry(login="ann", uid=1000, real_name="from getent")], 1)
    replace(store, LDAP, EVERYWHERE, [Entry(login="ann", uid=2000, mail="ldap@x", real_name="from ldap")], 2)
    replace(store, CSV, EVERYWHERE, [Entry(login="ann", real_name="from csv", student_id="7")], 3)
    assert by_login(store, "ann", "nobody here") == {
        "ann": Person("ann", 2000, "ldap@x", "from csv", "7", None, CSV, 3),
    }
    replace(store, CSV, EVERYWHERE, [], 4)
    assert by_login(store, "ann")["ann"] == Person("ann", 2000, "ldap@x", "from ldap", None, None, LDAP, 2)
    assert by_uid(store, 1000, 2000) == {2000: "ann"}


def test_each_machine_has_its_own_uids(store: Store) -> None:
    replace(store, GETENT, HERE, [Entry(login="ann", uid=1000), Entry(login="bob", uid=1001)], 1)
    replace(store, GETENT, ELSEWHERE, [Entry(login="bob", uid=1000), Entry(login="eve", uid=1002)], 1)
    assert by_uid(store, 1000, 1001, 1002) == {1000: "ann", 1001: "bob"}
    assert by_uid(store, 1000, 1001, 1002, host=ELSEWHERE) == {1000: "bob", 1002: "eve"}
    assert by_login(store, "eve") == {}


def test_two_who_claim_one_uid_are_told_apart_the_same_way_each_time(store: Store) -> None:
    replace(store, GETENT, HERE, [Entry(login="toor", uid=0), Entry(login="root", uid=0)], 1)
    assert by_uid(store, 0) == {0: "root"}
    replace(store, CSV, EVERYWHERE, [Entry(login="zed", uid=0)], 1)
    assert by_uid(store, 0) == {0: "zed"}


def test_only_what_changed_is_written_and_counted(store: Store) -> None:
    first = replace(store, CSV, EVERYWHERE, [Entry(login="a"), Entry(login="b"), Entry(login="c")], 1)
    assert (first.added, first.changed, first.removed, first.unchanged) == (3, 0, 0, 0)
    again = replace(store, CSV, EVERYWHERE, [Entry(login="a"), Entry(login="b", uid=1), Entry(login="d")], 2)
    assert (again.added, again.changed, again.removed, again.unchanged) == (1, 1, 1, 1)
    found = by_login(store, "a", "b", "c", "d")
    assert {login: person.changed_seconds for login, person in found.items()} == {"a": 1, "b": 2, "d": 2}


def test_a_name_is_the_real_one_only_for_who_may_see_it(store: Store) -> None:
    replace(store, CSV, EVERYWHERE, [Entry(login="ann", uid=1, real_name="Ann Ä."), Entry(login="bob", uid=2)], 1)
    with store.reading() as connection:
        people = People(connection, HERE)
        assert [people.name_of(uid, sees_names=True) for uid in (1, 2, 3)] == ["Ann Ä.", "bob", "uid-3"]
        assert [people.name_of(uid, sees_names=False) for uid in (1, 2, 3)] == ["ann", "bob", "uid-3"]


def test_a_viewer_without_the_right_to_names_can_neither_see_nor_find_nor_sort_by_them(
    store: Store, database: Database
) -> None:
    hidden_one = Entry(login="b", mail="m@x", real_name="Real", student_id="S1")
    entries = [Entry(login="z", mail="a@x", real_name="A", student_id="A1"), hidden_one]
    replace(store, CSV, EVERYWHERE, entries, 1)

    def ask(question: Question, *, sees_names: bool) -> list[Person]:
        viewer = Viewer("someone", Role.VIEWER, sees_names=sees_names)
        rows = LISTING.of(Sources(database.installation, store, None, viewer, 0), question).rows
        return [row for row in rows if isinstance(row, Person)]

    assert [row.real_name for row in ask(Question(sort="real_name"), sees_names=True)] == ["A", "Real"]
    hidden = ask(Question(sort="real_name"), sees_names=False)
    assert [(row.login, row.mail, row.real_name, row.student_id) for row in hidden] == [
        ("b", None, None, None),
        ("z", None, None, None),
    ]
    for text in ("m@x", "Real", "S1"):
        assert ask(Question(search=text), sees_names=False) == []
        assert [row.login for row in ask(Question(search=text), sees_names=True)] == ["b"]


def test_hostile_people_survive_store_listing_csv_and_import(store: Store) -> None:
    texts = dict.fromkeys(text[:200].strip(" \t") for text in (*corpus.SURROGATED, "\0", "'t Hooft"))
    entries = [Entry(login=text, real_name=text, mail=text) for text in texts if text]
    replace(store, CSV, EVERYWHERE, entries, 1)
    found = by_login(store, *(entry.login for entry in entries))
    assert {login: (person.real_name, person.mail) for login, person in found.items()} == {
        entry.login: (entry.login, entry.login) for entry in entries
    }
    out = io.StringIO()
    render(list(found.values()), Person, Form.CSV, out)
    assert people_csv.parse(out.getvalue().encode(), "out") == entries


def test_thousands_are_looked_up_at_once(store: Store) -> None:
    replace(store, GETENT, HERE, (Entry(login=f"u{number}", uid=number) for number in range(2500)), 1)
    assert by_uid(store, *range(2400, 2600)) == {number: f"u{number}" for number in range(2400, 2500)}
    assert len(by_uid(store, *range(3000))) == 2500


GOOD = b"""\xef\xbb\xbflogin;Real_Name;uid;addresses\r
ann;"Smith; Ann";1000;10.0.0.1, 10.1.0.0/16\r
\r
bob; Bob ;;2001:db8::1\r
"""


def test_a_file_as_a_spreadsheet_writes_it_is_read() -> None:
    assert people_csv.parse(GOOD, "people.csv") == [
        Entry(login="ann", real_name="Smith; Ann", uid=1000, addresses="10.0.0.1 10.1.0.0/16"),
        Entry(login="bob", real_name="Bob", addresses="2001:db8::1"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column is named 'login'"),
        ("mail\nx", "line 1: no column is named 'login'"),
        ("login,e-mail\nx,y", "line 1: there is no column 'e-mail'"),
        ("login,login\nx,y", "line 1: the column 'login' is there twice"),
        ("login,uid\nann,1\nbob", "line 3: it has 1 cells, the first line has 2"),
        ("login,uid\nann,1\n,2", "line 3: it has no login"),
        ("login,uid\nann,x1", "line 2: uid 'x1' is no number"),
        ("login,uid\nann,99999999999", "line 2: uid is 99999999999"),
        ("login,addresses\nann,host", "line 2: 'host' does not appear to be an IPv4 or IPv6"),
        ("login,uid\nann,1\nann,2", "line 3: the login 'ann' is there already, in line 2"),
        (f"login\n{'x' * 256}", "line 2: login has 256 characters"),
        ('login\n"ann', "line 2: unexpected end of data"),
        ("login,uid\n\x1b[31m,x", r"uid 'x' is no number"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_read(text: str, said: str) -> None:
    with pytest.raises(PeopleError) as caught:
        people_csv.parse(text.encode(), "people.csv")
    assert said in str(caught.value)
    assert "nothing was changed" in str(caught.value) or "first line" in str(caught.value)


def test_every_wrong_line_is_named_up_to_twenty() -> None:
    lines = "\n".join(f"u{number},x" for number in range(25))
    with pytest.raises(PeopleError, match=r"line 2: .*; line 21: .*; and 5 more") as caught:
        people_csv.parse(f"login,uid\n{lines}".encode(), "people.csv")
    assert "line 22" not in str(caught.value)


def account(name: str, uid: int, gecos: str) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, 100, gecos, "/", "/bin/sh"))


def test_the_machines_list_is_read_with_its_real_names() -> None:
    accounts = [
        account("ann", 1000, "Ann Smith,Room 1,,"),
        account("bob", 1001, "& Jones"),
        account("eve", 1002, ""),
        account("ann", 1003, "another one"),
        account("m\udcfcller", 1004, "M\udcfcller"),
        account("x" * 300, 1005, "too long a name"),
        account("", 1006, "no name"),
    ]
    assert listed(lambda: accounts) == [
        Entry(login="ann", uid=1000, real_name="Ann Smith"),
        Entry(login="bob", uid=1001, real_name="Bob Jones"),
        Entry(login="eve", uid=1002),
        Entry(login="m\udcfcller", uid=1004, real_name="M\udcfcller"),
    ]


def test_the_machines_list_is_what_getent_prints() -> None:
    assert {entry.login: entry.uid for entry in listed()}["root"] == 0


def test_the_listing_has_the_tables_columns() -> None:
    columns = [column.name for column in COMPONENT.metadata.tables["people"].columns if column.name != "host"]
    assert sorted(msgspec.structs.asdict(Person("x", None, None, None, None, None, CSV, 0))) == sorted(columns)
