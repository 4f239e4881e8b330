-- What the registrar is given in an empty server: a role that is no superuser, and its database.
CREATE ROLE jrc LOGIN;
CREATE DATABASE jrc OWNER jrc ENCODING 'UTF8' TEMPLATE template0;
