"""``python -m docs.made`` writes everything that is made from the code."""

from docs.made.files import files


def main() -> None:
    """Writes what differs, and says so."""
    for path, text in files().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
