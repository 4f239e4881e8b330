# docker build -t jrc .                  docs/container.md; deploy/compose.yaml builds it, too
#
# BASE          another base: Python 3.11 or later, or Debian's packages to get it from, and a shell
# BUILD_BASE    the same Python at the same place, with its venv module, and strip
# PIP_*         another package index; what comes from it has to have the hashes in requirements/
ARG BASE=debian:trixie-slim
ARG BUILD_BASE=base

FROM ${BASE} AS base
# Of the standard library, what is used is compiled below.
RUN command -v python3 >/dev/null \
 || { apt-get update -q \
 && apt-get install -yq --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && find /usr/lib/python3* -name __pycache__ -prune -exec rm -r {} + ; }

FROM ${BUILD_BASE} AS build
RUN { python3 -c 'import ensurepip' && command -v strip >/dev/null ; } \
 || { apt-get update -q && apt-get install -yq --no-install-recommends python3-venv binutils ; }
ARG PIP_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_NO_INDEX
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/build.txt requirements/image.txt requirements/
# pip and what builds the wheel stay behind in /build.
RUN python3 -m venv /build \
 && python3 -m venv --without-pip /opt/jrc \
 && /build/bin/pip install --require-hashes --no-deps -r requirements/build.txt \
 && PIP_PYTHON=/opt/jrc/bin/python /build/bin/pip install --no-compile --require-hashes --no-deps -r requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY jrc jrc
COPY migrations migrations
RUN /build/bin/python -m hatchling build -t wheel \
 && PIP_PYTHON=/opt/jrc/bin/python /build/bin/pip install --no-compile --no-deps --no-index dist/*.whl
# Left out: other databases, colours for other languages than Python's, and what debuggers read.
# psycopg's libraries were changed by patchelf, which strip does not always get on with.
RUN cd /opt/jrc/lib/python3*/site-packages \
 && rm -r sqlalchemy/testing sqlalchemy/dialects/mssql sqlalchemy/dialects/mysql sqlalchemy/dialects/oracle \
 && find pygments/lexers -name '[a-z]*.py' ! -name python.py ! -name special.py -delete \
 && find . -name '*.so' ! -path './psycopg*' -exec strip --strip-unneeded {} +

FROM base
LABEL org.opencontainers.image.title="jrc" \
      org.opencontainers.image.description="A join registrar (JRC) for IEEE 802.15.4 networks, RFC 9031" \
      org.opencontainers.image.licenses="BSD-3-Clause"
COPY --from=build /opt/jrc /opt/jrc
# What is imported is compiled once, here, as nobody can write it later. It also shows that nothing
# is missing.
RUN /opt/jrc/bin/python -c 'import importlib, pkgutil, jrc, sqlalchemy.dialects.postgresql.psycopg; \
[importlib.import_module(each.name) for each in pkgutil.walk_packages(jrc.__path__, "jrc.")]' \
 && /opt/jrc/bin/jrc --help >/dev/null
RUN echo 'jrc:x:10001:10001:jrc:/var/lib/jrc:/usr/sbin/nologin' >>/etc/passwd \
 && echo 'jrc:x:10001:' >>/etc/group \
 && mkdir -m 0700 /var/lib/jrc \
 && chown 10001:10001 /var/lib/jrc
ENV PATH=/opt/jrc/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# By number, as orchestrators that want to know that it is not root can't read names.
USER 10001:10001
# `jrc init --dir /var/lib/jrc` writes ./config.toml there, which every command finds.
WORKDIR /var/lib/jrc
VOLUME /var/lib/jrc
EXPOSE 5683/udp
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["jrc", "healthcheck"]
ENTRYPOINT ["jrc"]
CMD ["run"]
