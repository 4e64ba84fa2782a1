"""The `headrace` command: joins the verbs, and turns faults into one line and an exit code."""

import typer

from bundles.core.errors import Failed, HeadraceError
from headrace.logs import configure_logs
from headrace.terminal import exit_with
from headrace.verbs import (
    audit,
    backup,
    block,
    builders,
    controller,
    demo,
    diff,
    export_static,
    history,
    keys,
    pin,
    plan,
    policy,
    provenance,
    publish,
    publish_batch,
    retire,
    rollout,
    serve,
    smoke,
    tenant,
    verify,
    who,
    why,
)

app = typer.Typer(
    name="headrace",
    help="An async CDN origin and release manager for JavaScript SDKs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command(epilog=publish.EPILOG)(publish.publish)
app.command(epilog=publish_batch.EPILOG)(publish_batch.publish_batch)
app.command(epilog=verify.EPILOG)(verify.verify)
app.command(epilog=diff.EPILOG)(diff.diff)
app.command(epilog=provenance.EPILOG)(provenance.provenance)
app.add_typer(keys.app, name="keys")
app.add_typer(builders.app, name="builders")
app.add_typer(rollout.app, name="rollout")
app.command(epilog=rollout.ROLLBACK_EPILOG)(rollout.rollback)
app.add_typer(smoke.app, name="smoke")
app.add_typer(pin.app, name="pin")
app.add_typer(block.app, name="block")
app.add_typer(policy.app, name="policy")
app.add_typer(tenant.app, name="tenant")
app.command(epilog=plan.EPILOG, context_settings=plan.CONTEXT)(plan.plan)
app.command(epilog=retire.EPILOG)(retire.retire)
app.command(epilog=why.EPILOG)(why.why)
app.command(epilog=who.EPILOG)(who.who)
app.command(epilog=history.EPILOG)(history.history)
app.add_typer(audit.app, name="audit")
app.command(epilog=backup.BACKUP_EPILOG)(backup.backup)
app.command(epilog=backup.RESTORE_EPILOG)(backup.restore)
app.command(epilog=serve.EPILOG)(serve.serve)
app.command(epilog=export_static.EPILOG)(export_static.export_static)
app.command(epilog=controller.EPILOG)(controller.controller)
app.command(epilog=demo.EPILOG)(demo.demo)


def main() -> None:
    """The console script."""
    configure_logs()
    try:
        app()
    except HeadraceError as fault:
        exit_with(fault)
    except OSError as error:  # of a file that nobody expected to fail
        exit_with(Failed(f"{error.filename or 'the system'}: {error.strerror or error}"))
