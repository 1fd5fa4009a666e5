"""The MovieLens archives of GroupLens, and the one that RecBole brings along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from mma4ctr.sampling import draws
from mma4ctr.sampling.public import content
from mma4ctr.sampling.public.log import RATED, Log, Writer, draw_log

GENRES = (
    "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy", "Film-Noir",
    "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
STARS = (0.06, 0.11, 0.27, 0.35, 0.21)  # shares of 1 to 5
HALF_STARS = (0.01, 0.04, 0.01, 0.08, 0.04, 0.23, 0.09, 0.29, 0.06, 0.15)  # of 0.5 to 5.0


def _ratings(
    log: Log, users: np.ndarray, items: np.ndarray, times: tuple[int, int], rating: np.ndarray
) -> pl.DataFrame:
    return pl.DataFrame(
        {"user": users[log.user], "item": items[log.item], "rating": rating, "time": log.seconds(*times)}
    )


def write_100k(folder: Path, rng: np.random.Generator) -> None:
    """Write u.data (tabs, in random order) and u.item (bars, Latin-1, 19 flags of genres); the last film is unknown."""
    log = draw_log(RATED, rng)
    users, items = np.arange(1, RATED.users + 1), np.arange(1, RATED.items + 1)
    ratings = _ratings(log, users, items, (874_724_710, 893_286_638), 1 + log.stars(STARS, rng))
    content.write_table(folder / "u.data", ratings[rng.permutation(len(ratings))].to_dict(), "\t", header=False)
    films = content.titles(log.factors, rng)
    title = films["title"] + " (" + films["year"] + ")"
    table = pl.DataFrame({
        "item": items,
        "title": title,
        "released": "01-Jan-" + films["year"],
        "video_released": [""] * RATED.items,
        "url": "http://films.example/title-exact?" + title.str.replace_all(" ", "%20", literal=True),
    })  # fmt: skip
    is_known = pl.int_range(pl.len()) < RATED.items - 1
    table = table.with_columns(
        pl.when(is_known).then("title").otherwise(pl.lit("unknown")).alias("title"),
        pl.when(is_known).then(pl.col("released", "url")),
    )
    flags = np.column_stack([np.zeros(RATED.items, bool), content.classes(log.factors, "visual", len(GENRES), rng)])
    flags[-1] = np.arange(len(GENRES) + 1) == 0
    table = table.hstack([pl.Series(f"flag_{place}", flag.astype(np.int64)) for place, flag in enumerate(flags.T)])
    content.write_table(folder / "u.item", table.to_dict(), "|", header=False, encoding="latin-1")


def _films(log: Log, items: np.ndarray, rng: np.random.Generator) -> dict[str, pl.Series]:
    films = content.titles(log.factors, rng)
    genres = content.names_of(content.classes(log.factors, "visual", len(GENRES), rng), GENRES, "|")
    return {"item": pl.Series(items), "title": films["title"] + " (" + films["year"] + ")", "genres": genres}


def write_1m(folder: Path, rng: np.random.Generator) -> None:
    """Write ratings.dat and movies.dat: two colons between fields, whole stars, Latin-1."""
    log = draw_log(RATED, rng)
    users, items = np.arange(1, RATED.users + 1), draws.stretch(np.arange(RATED.items), RATED.items, 1, 3952)
    ratings = _ratings(log, users, items, (956_703_932, 1_046_454_590), 1 + log.stars(STARS, rng))
    ratings = ratings.sort("user", maintain_order=True)
    content.write_table(folder / "ratings.dat", ratings.to_dict(), "::", header=False)
    content.write_table(folder / "movies.dat", _films(log, items, rng), "::", header=False, encoding="latin-1")


def write_10m(folder: Path, rng: np.random.Generator) -> None:
    """Write ratings.dat and movies.dat: two colons between fields, half stars, UTF-8, quotation marks in titles."""
    log = draw_log(RATED, rng)
    users = draws.stretch(np.arange(RATED.users), RATED.users, 1, 71_567)
    items = draws.stretch(np.arange(RATED.items), RATED.items, 1, 65_133)
    stars = 1 + log.stars(HALF_STARS, rng)
    whole = pl.Series(stars // 2).cast(pl.String)
    shown = pl.select(pl.when(pl.Series(stars % 2 == 1)).then(whole + ".5").otherwise(whole)).to_series()
    ratings = _ratings(log, users, items, (789_652_009, 1_231_131_736), stars).with_columns(rating=shown)
    content.write_table(folder / "ratings.dat", ratings.sort("user", "item").to_dict(), "::", header=False)
    films = pl.DataFrame(_films(log, items, rng))
    quoted = pl.col("title").str.replace(r"^(\S+)", '"$1"')
    films = films.with_columns(title=pl.when(pl.int_range(pl.len()) % 7 == 3).then(quoted).otherwise("title"))
    content.write_table(folder / "movies.dat", films.to_dict(), "::", header=False)


def write_recbole(folder: Path, rng: np.random.Generator) -> None:
    """Write ml-100k.inter, .item and .user: tabs, and a line of names with types; the last film has no year."""
    log = draw_log(RATED, rng)
    users, items = np.arange(1, RATED.users + 1), np.arange(1, RATED.items + 1)
    ratings = _ratings(log, users, items, (874_724_710, 893_286_638), 1 + log.stars(STARS, rng))
    ratings.columns = ["user_id:token", "item_id:token", "rating:float", "timestamp:float"]
    content.write_table(folder / "ml-100k.inter", ratings[rng.permutation(len(ratings))].to_dict(), "\t")
    films = content.titles(log.factors, rng)
    year = pl.select(pl.when(pl.Series(items < RATED.items)).then(films["year"])).to_series()
    genres = content.names_of(content.classes(log.factors, "visual", len(GENRES), rng), GENRES, " ")
    columns = {
        "item_id:token": items, "movie_title:token_seq": films["title"], "release_year:token": year,
        "class:token_seq": genres,
    }  # fmt: skip
    content.write_table(folder / "ml-100k.item", columns, "\t")
    people = {
        "user_id:token": users, "age:token": rng.integers(7, 74, len(users)),
        "gender:token": pl.Series(["M", "F"]).gather(rng.integers(0, 2, len(users))),
        "occupation:token": pl.Series(["other", "student", "writer"]).gather(rng.integers(0, 3, len(users))),
        "zip_code:token": rng.integers(10_000, 99_999, len(users)),
    }  # fmt: skip
    content.write_table(folder / "ml-100k.user", people, "\t")


WRITERS: dict[str, Writer] = {
    "movielens_100k": write_100k, "movielens_1m": write_1m, "movielens_10m": write_10m, "ml100k_recbole": write_recbole,
}  # fmt: skip
