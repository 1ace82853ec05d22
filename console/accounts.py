"""Accounts: for admins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from console import access, tables
from console.routing import action, api, body_of, form, page, see_other
from console.show import show, tell
from console.state import state_of
from dkumonitor.accounts import accounts, first_password, passwords
from dkumonitor.accounts.accounts import Account, Change
from dkumonitor.accounts.errors import AccountError
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.views import ACCOUNTS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_ADMIN = Role.ADMIN
_PATH = "/accounts/{login}"


class NewAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to make. Without a password one is generated."""

    login: str
    role: Role = Role.VIEWER
    real_names: bool = False
    password: str | None = None


class NewPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A password to set. Without one, one is generated."""

    password: str | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """An account and the password that was generated for it, null where it was given."""

    login: str
    password: str | None


def show_accounts(request: Request) -> Response:
    """All accounts, and the form for a new one."""
    return show(
        request,
        "accounts.html",
        title="Accounts",
        roles=[(role.value, role.value) for role in Role],
        table=tables.drawn(request, ACCOUNTS.name),
    )


def show_account(request: Request) -> Response:
    """One account, and what can be changed of it."""
    with state_of(request).store.reading() as connection:
        account = accounts.find(connection, request.path_params["login"])
    roles = [(role.value, role.value) for role in Role]
    return show(request, "account_of.html", title=f"Account {account.login}", account=account, roles=roles)


def add(request: Request) -> Response:
    """Make an account, and show the password that was generated for it, once."""
    fields = form(request)
    made = _add(
        request,
        NewAccount(
            login=fields.get("login", ""),
            role=_role(fields.get("role", "")),
            real_names="real_names" in fields,
        ),
    )
    return _shown(request, made)


def change(request: Request) -> Response:
    """Change role, right and being disabled, as the form says."""
    fields = form(request)
    wanted = Change(
        role=_role(fields.get("role", "")), real_names="real_names" in fields, disabled="disabled" in fields
    )
    account = _change(request, wanted)
    tell(request, f"The account {account.login} is changed.")
    return see_other(f"/accounts/{account.login}")


def reset_password(request: Request) -> Response:
    """Give an account a generated password, and show it, once."""
    return _shown(request, _set_password(request, None))


def remove(request: Request) -> Response:
    """Remove an account."""
    _remove(request)
    tell(request, f"The account {request.path_params['login']} is removed.")
    return see_other("/accounts")


def api_add(request: Request) -> Made:
    """Make an account."""
    return _add(request, body_of(request, NewAccount))


def api_change(request: Request) -> Account:
    """Change an account."""
    return _change(request, body_of(request, Change))


def api_password(request: Request) -> Made:
    """Give an account a password."""
    return _set_password(request, body_of(request, NewPassword).password)


def api_remove(request: Request) -> None:
    """Remove an account."""
    _remove(request)


def _add(request: Request, wanted: NewAccount) -> Made:
    state = state_of(request)
    password = wanted.password or passwords.generated(accounts.login_of(wanted.login))
    actor = access.actor_of(request)
    account = accounts.add(
        state.store, state.hashing, actor, wanted.login, password, role=wanted.role, real_names=wanted.real_names
    )
    return Made(login=account.login, password=None if wanted.password else password)


def _change(request: Request, wanted: Change) -> Account:
    return accounts.change(state_of(request).store, access.actor_of(request), request.path_params["login"], wanted)


def _set_password(request: Request, given: str | None) -> Made:
    state = state_of(request)
    login = accounts.login_of(request.path_params["login"])
    password = given or passwords.generated(login)
    accounts.set_password(state.store, state.hashing, access.actor_of(request), login, password)
    first_password.remove_stale(state.installation, login, password)
    return Made(login=login, password=None if given else password)


def _remove(request: Request) -> None:
    accounts.remove(state_of(request).store, access.actor_of(request), request.path_params["login"])


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise AccountError("there is no such role", f"Take one of {', '.join(Role)}") from None


def _shown(request: Request, made: Made) -> Response:
    told = f"The password of {made.login}. Hand it over now: it is not shown again."
    return show(
        request, "secret.html", title="Password", secret=made.password, told=told, back=f"/accounts/{made.login}"
    )


LISTINGS = (ACCOUNTS,)
ROUTES = (
    page("/accounts", show_accounts, role=_ADMIN, title="Accounts", order=300),
    page(_PATH, show_account, role=_ADMIN),
    action("/accounts", add, role=_ADMIN),
    action(_PATH, change, role=_ADMIN),
    action(f"{_PATH}/password", reset_password, role=_ADMIN),
    action(f"{_PATH}/remove", remove, role=_ADMIN),
    api("/accounts", api_add, method="POST", role=_ADMIN, summary="Make an account.", body=NewAccount, answer=Made),
    api(_PATH, api_change, method="PATCH", role=_ADMIN, summary="Change an account.", body=Change, answer=Account),
    api(
        f"{_PATH}/password",
        api_password,
        method="POST",
        role=_ADMIN,
        summary="Set an account's password; its sessions end.",
        body=NewPassword,
        answer=Made,
    ),
    api(_PATH, api_remove, method="DELETE", role=_ADMIN, summary="Remove an account, its sessions and tokens."),
)
