EPILOG = ""


def demo() -> None: ...
