"""The installer's last words: where everything is reached, and how one gets in."""

from installer.address import is_loopback, join
from installer.certificate import fingerprint
from installer.plan import ADMIN_PASSWORD, CERTIFICATE, SECRETS_FOLDER, Plan


def farewell(plan: Plan) -> str:
    """What an administrator wants to know about the installation that was just made; no secret is in it."""
    directory, installation = plan.directory, plan.installation
    lines = [f"dkumonitor {installation.version} is installed in {directory}", ""]
    pages = "https://" if installation.tls else "http://"
    shown = {
        "web": ("web page", pages),
        "console": ("console", pages),
        "carbon": ("carbon", ""),
        "carbonapi": ("carbonapi", "http://"),
        "pickle": ("carbon pickle", ""),
    }
    for socket in installation.sockets():
        if socket.purpose in shown:
            name, scheme = shown[socket.purpose]
            where = "" if is_loopback(socket.address) else "  (reachable from other machines)"
            lines.append(f"  {name:<14}{scheme}{join(socket.address, socket.port)}{where}")
    if installation.carbon_server and not installation.ports.carbon:
        lines.append(f"  {'sends to':<14}{installation.carbon_server}")
    return "\n".join([*lines, *_sign_in(plan), "", f"Start it:  '{directory}/bin/dkm' start"])


def _sign_in(plan: Plan) -> list[str]:
    found = []
    password = plan.directory / SECRETS_FOLDER / ADMIN_PASSWORD
    if password.exists():
        found.append(f"  {'sign-in':<14}admin, password in {password}")
    elif ADMIN_PASSWORD in plan.secrets:
        found.append(f"  {'sign-in':<14}with an account that {plan.installation.database} has already")
    if plan.certificate_names:
        names = ", ".join(plan.certificate_names)
        found.append(f"  {'certificate':<14}signed with itself, for {names}; browsers ask once. SHA-256:")
        found.append(f"  {'':<14}{fingerprint((plan.directory / CERTIFICATE).read_bytes())}")
    return found
