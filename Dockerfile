# docker build -t jrc .
# docker run --rm -v jrc:/var/lib/jrc jrc init --dir /var/lib/jrc
# docker run -v jrc:/var/lib/jrc -p 5683:5683/udp --read-only --cap-drop ALL \
#   --security-opt no-new-privileges jrc
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m venv /opt/jrc \
 && /opt/jrc/bin/python -m pip install --no-cache-dir --require-hashes --no-deps -r requirements/run.txt \
 && python -m pip install --no-cache-dir --require-hashes --no-deps -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY jrc jrc
COPY migrations migrations
RUN python -m hatchling build -t wheel \
 && /opt/jrc/bin/python -m pip install --no-cache-dir --no-deps --no-index dist/*.whl

FROM python:3.13-slim-bookworm
COPY --from=build /opt/jrc /opt/jrc
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin jrc \
 && install -d -o jrc -g jrc -m 0700 /var/lib/jrc
ENV PATH=/opt/jrc/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER jrc
# `jrc init --dir /var/lib/jrc` writes ./config.toml there, which the daemon finds.
WORKDIR /var/lib/jrc
VOLUME /var/lib/jrc
EXPOSE 5683/udp
ENTRYPOINT ["jrc"]
CMD ["run"]
