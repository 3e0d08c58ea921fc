"""A process that behaves to its supervisor as a model worker does, without models. argv[1] says how it misbehaves."""

import os
import signal
import socket
import sys
import types


def main() -> None:
    manner = sys.argv[1]
    options = dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))
    print(f"worker {options['--worker-id']} on {options['--device']}", flush=True)
    if manner == "crashes":
        print("no module named torch", file=sys.stderr)
        sys.exit(2)
    server = socket.socket(socket.AF_UNIX)
    server.bind(options["--unix"])
    server.listen()
    tcp = socket.create_server((options["--bind"], 0))
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def say(text: str) -> None:
        notify.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])

    def end(number: int, frame: types.FrameType | None) -> None:
        if manner == "lingers":
            say("STOPPING=1")
        elif manner != "ignores":
            sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    say("STATUS=loading")
    if manner == "silent":
        signal.pause()
    if manner == "misreports":
        say("READY=1\nSSA_ADDRESS=somewhere")
    elif manner == "homeless":
        say("READY=1")
    else:
        say(f"READY=1\nSSA_ADDRESS=unix://{options['--unix']},{options['--bind']}:{tcp.getsockname()[1]}")
    while True:
        signal.pause()


main()
