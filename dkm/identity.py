"""Who acts: root that calls `dkm` becomes the account that the installation runs as."""

import os
import pwd

from dkumonitor.errors import AccessError
from dkumonitor.installation import Installation


def act_as_service_user(installation: Installation) -> None:
    """Drop root's rights for good, so that no file of the service user is ever handled by root.

    Raises:
        AccessError: the account is gone, or another ordinary user calls.
    """
    caller = os.geteuid()
    if installation.user == str(caller):  # an account without a name, as containers have
        return
    try:
        account = pwd.getpwnam(installation.user)
    except KeyError:
        raise AccessError(
            f"the account {installation.user!r} that {installation.dir} runs as does not exist on this machine",
            "create it again, or install anew with --user NAME",
        ) from None
    if caller == account.pw_uid:
        return
    if caller != 0:
        raise AccessError(
            f"{installation.dir} runs as {installation.user}, and only that account and root may control it",
            f"call it as that account: sudo -u {installation.user} {installation.dir}/bin/dkm ...",
        )
    os.initgroups(account.pw_name, account.pw_gid)
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    os.environ.update(HOME=account.pw_dir, USER=account.pw_name, LOGNAME=account.pw_name)
    os.chdir("/")
