BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE context (
	id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	credential_id INTEGER NOT NULL, 
	id_context BLOB NOT NULL, 
	aead INTEGER NOT NULL, 
	wrapped_keys BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_context PRIMARY KEY (id), 
	CONSTRAINT fk_context_credential_id_credential FOREIGN KEY(credential_id) REFERENCES credential (id), 
	CONSTRAINT fk_context_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
INSERT INTO "context" VALUES(1,1,1,X'00124B0000000001',10,X'010000000242719465B8F7DEC85D244497BFE8DBC4A09D14D4B4792A1E261CFD4F34293C8417A86093A01C3E130F99A5103FD8FA890C9AD5B70E03500AB20D418B73F330DCA42483DD354A30CBA6651A53BC',1796000000000);
INSERT INTO "context" VALUES(2,2,2,X'00124B0000000002',10,X'0100000002672B59F2A588E30BDD753C7CE28B9598FBB84A620F1CE0133FEA334699BB78902C69BAB68CE73930A9BAB64EA0E4EE153602BACA683034FAD3F5F4049CFE95A44226BC1CFEE8D8B756FAC7A27D',1796000000000);
INSERT INTO "context" VALUES(3,3,3,X'00124B0000000003',10,X'',1796000000000);
CREATE TABLE context_kid (
	kid_context BLOB NOT NULL, 
	context_id INTEGER NOT NULL, 
	CONSTRAINT pk_context_kid PRIMARY KEY (kid_context, context_id), 
	CONSTRAINT fk_context_kid_context_id_context FOREIGN KEY(context_id) REFERENCES context (id)
);
INSERT INTO "context_kid" VALUES(X'00124B0000000001',1);
INSERT INTO "context_kid" VALUES(X'00124B0000000002',2);
CREATE TABLE context_state (
	context_id INTEGER NOT NULL, 
	highest BIGINT NOT NULL, 
	seen BIGINT NOT NULL, 
	numbers_reserved BIGINT NOT NULL, 
	needs_recovery INTEGER NOT NULL, 
	request_digest BLOB, 
	answer BLOB, 
	answered_at_ms BIGINT, 
	answer_peer BLOB, 
	answer_generation_id INTEGER, 
	joined_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_context_state PRIMARY KEY (context_id), 
	CONSTRAINT ck_context_state_numbers CHECK (numbers_reserved BETWEEN 0 AND 1099511627776), 
	CONSTRAINT fk_context_state_context_id_context FOREIGN KEY(context_id) REFERENCES context (id)
);
INSERT INTO "context_state" VALUES(1,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'23EAE7301DE9336BB014A88895610235');
INSERT INTO "context_state" VALUES(2,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'2A625A1D13DF75AA54B1A472C89B5310');
INSERT INTO "context_state" VALUES(3,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'EE5A4C189A1B1BB27D85411190CA199C');
CREATE TABLE credential (
	id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	wrapped_secret BLOB, 
	aead INTEGER NOT NULL, 
	hkdf INTEGER NOT NULL, 
	provenance VARCHAR(32) NOT NULL, 
	source TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	import_id INTEGER, 
	psk_fingerprint BLOB, 
	sender_fingerprint BLOB NOT NULL, 
	recipient_fingerprint BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_credential PRIMARY KEY (id), 
	CONSTRAINT ck_credential_kind CHECK (kind IN ('psk', 'derived')), 
	CONSTRAINT ck_credential_state CHECK (state IN ('staged','current','candidate','superseded','removed')), 
	CONSTRAINT fk_credential_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_credential_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id), 
	CONSTRAINT uq_credential_psk_fingerprint UNIQUE (psk_fingerprint), 
	CONSTRAINT uq_credential_recipient_fingerprint UNIQUE (recipient_fingerprint), 
	CONSTRAINT uq_credential_sender_fingerprint UNIQUE (sender_fingerprint)
);
INSERT INTO "credential" VALUES(1,1,'psk',X'010000000188231023710A5BDE674E7DF19F36E504D2342D6D9DA07B49A109B0D74849C9BB8FAB3626500CF586B93A10EF',10,-10,'operator','','current',NULL,X'47871CB5D67032BF9CB9EBE6C2401C14',X'A86D54A9F33A90232F967C39CCE2183F',X'E050AAD7D5D69089924B22B73120263B',1796000000000,NULL);
INSERT INTO "credential" VALUES(2,2,'psk',X'0100000001B1A382937AF65DCBA17C7CC6117CF6F0A8BFC930E97978118B55A858F56566FB6FF20DB64C480895899FFC64',10,-10,'operator','','current',NULL,X'32F05F3437FFFB1B127366EAF0BED807',X'456A2884ACB7C270B312647419B24507',X'2DF3102C194C50597491F33E9721B042',1796000000000,NULL);
INSERT INTO "credential" VALUES(3,3,'psk',NULL,10,-10,'operator','','removed',NULL,X'1D03102CC9FE52E97329439B95DDCB75',X'B8DC18FEC1E7157940311F5D4FBE63A1',X'DFE1E97EA6CEB0E28BBE7E6B37EE3519',1796000000000,1796000000000);
CREATE TABLE data_key (
	id INTEGER NOT NULL, 
	purpose VARCHAR(32) NOT NULL, 
	kek_id BLOB NOT NULL, 
	wrapped BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_data_key PRIMARY KEY (id)
);
INSERT INTO "data_key" VALUES(1,'credential',X'8280A12AA72F9B64',X'01D1AB0844139D268C164C9655BDDD1C02605E07982AA42CDBB2C52E4F50C23F9F6925B4571874AAE863FB23E9063EF4ED878A865D781D7434C7785D4B',1796000000000,NULL);
INSERT INTO "data_key" VALUES(2,'context',X'8280A12AA72F9B64',X'01071408F0DE51DF0D19D56D6081721CCFF4FBE91B622862E51EB1DF43C42D3A20404AE6AFFA4666ECD564005A5B9526E450077F15AEE1A41C462096F7',1796000000000,NULL);
INSERT INTO "data_key" VALUES(3,'link_layer',X'8280A12AA72F9B64',X'017C79673976C135A209FECB36261B464191817BBFE85E6787BA271056FB052C2B937391CAB67B1BCE3B8C2847C49462C93EE1213658B47FA491200145',1796000000000,NULL);
INSERT INTO "data_key" VALUES(4,'row_mac',X'8280A12AA72F9B64',X'0121CB942C99B05BFF99383EA8F59A6C2DD5435901E56E65E01E543EBFE16FD7C332C6F79E8951C856EFE5A53F3AA34763C331AE83BAB739D86A198624',1796000000000,NULL);
INSERT INTO "data_key" VALUES(5,'fingerprint',X'8280A12AA72F9B64',X'01935E8DE1B910A86A91D303242B0C626F792FB594EC56E8B6318899A9F845014D37018DD95EF1F3695D16D64D53A58B2F96BFD32A6B99D6FDABE0CC9A',1796000000000,NULL);
CREATE TABLE event (
	number INTEGER NOT NULL, 
	at_ms BIGINT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	pledge BLOB, 
	network VARCHAR(64), 
	actor VARCHAR(128) NOT NULL, 
	reason TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	hash BLOB NOT NULL, 
	CONSTRAINT pk_event PRIMARY KEY (number)
);
INSERT INTO "event" VALUES(1,1796000000000,'key_generation.created',NULL,NULL,'cli:uid=1000','','{"generation":1,"key_domain":"lab","key_ids":[1]}',X'FBCE6269A28A2B16AD9B510BD84886F17D776963F93ABC4AB4E15F6BF6CA0DDE');
INSERT INTO "event" VALUES(2,1796000000000,'network.added',NULL,'lab','cli:uid=1000','','{"identifiers":["cafe"],"join_rate_bytes_per_s":null,"jrc_address":null,"key_domain":"lab","lease_hours":null,"prefix":"2001:db8::/64","profile":"rfc9031","short_ids":"0001-7fff"}',X'E86474788251CF6D59800FCDA537E55D513C2371E7A09E916A21D94DAE906466');
INSERT INTO "event" VALUES(3,1796000000000,'pledge.added',X'00124B0000000001',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'1C5D29F68C0FC7EC89EC843D3815A83F88A5EB836127B0A0C36DB5AAC2F418E2');
INSERT INTO "event" VALUES(4,1796000000000,'pledge.added',X'00124B0000000002',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'14A9940C648812BE74FFF429E3A432CE76DFAC5DC7458995DF55B48AD8610E8F');
INSERT INTO "event" VALUES(5,1796000000000,'pledge.added',X'00124B0000000003',NULL,'cli:uid=1000','','{"networks":["lab"],"role":"6ln"}',X'4A247B240567216C3709E98EC1E3286FEC21553AADE0EBA85392C098077D5F09');
INSERT INTO "event" VALUES(6,1796000000000,'pledge.revoked',X'00124B0000000002',NULL,'cli:uid=1000','','{}',X'E9323E275D29DA98267222B8FBFCC3A6336151F92B9DF4F24DDC86ACCD3657AA');
INSERT INTO "event" VALUES(7,1796000000000,'pledge.removed',X'00124B0000000003',NULL,'cli:uid=1000','','{}',X'334EB1234C02B79559340AE6C20FAFBA9DAAD97192AAE3E5ED3E9E984FE5D85B');
CREATE TABLE import_batch (
	id INTEGER NOT NULL, 
	source TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	published_at_ms BIGINT, 
	row_count BIGINT NOT NULL, 
	CONSTRAINT pk_import_batch PRIMARY KEY (id), 
	CONSTRAINT ck_import_batch_state CHECK (state IN ('staged', 'published', 'discarded'))
);
CREATE TABLE instance (
	id INTEGER NOT NULL, 
	epoch BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	commit_number BIGINT NOT NULL, 
	event_number BIGINT NOT NULL, 
	event_hash BLOB NOT NULL, 
	policy_revision BIGINT NOT NULL, 
	clock_high_water_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_instance PRIMARY KEY (id), 
	CONSTRAINT ck_instance_single CHECK (id = 1)
);
INSERT INTO "instance" VALUES(1,X'14FC8D4F2DE0A01ED72CC8AC14740E56',1796000000000,6,7,X'334EB1234C02B79559340AE6C20FAFBA9DAAD97192AAE3E5ED3E9E984FE5D85B',6,1796000000000,7,X'E67F2EC36BFD9CAA5A3C43A97ED4EC0E');
CREATE TABLE key_domain (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	key_usages VARCHAR(32) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_key_domain PRIMARY KEY (id), 
	CONSTRAINT uq_key_domain_name UNIQUE (name)
);
INSERT INTO "key_domain" VALUES(1,'lab','0',1796000000000,1,X'2E446BFABE6A0FBC25C9576614BD75B1');
CREATE TABLE key_generation (
	id INTEGER NOT NULL, 
	domain_id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	activated_at_ms BIGINT, 
	retired_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_key_generation PRIMARY KEY (id), 
	CONSTRAINT fk_key_generation_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id), 
	CONSTRAINT uq_key_generation_domain_id_number UNIQUE (domain_id, number)
);
INSERT INTO "key_generation" VALUES(1,1,1,'current',1796000000000,1796000000000,NULL,1,X'A3DD60CD144FE1FAD09B60CC6651D9FE');
CREATE TABLE link_layer_key (
	id INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	key_id INTEGER NOT NULL, 
	key_usage INTEGER NOT NULL, 
	key_addinfo BLOB, 
	mic_length INTEGER NOT NULL, 
	fingerprint BLOB NOT NULL, 
	wrapped_value BLOB NOT NULL, 
	provenance VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_link_layer_key PRIMARY KEY (id), 
	CONSTRAINT fk_link_layer_key_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id), 
	CONSTRAINT uq_link_layer_key_fingerprint UNIQUE (fingerprint)
);
INSERT INTO "link_layer_key" VALUES(1,1,1,0,NULL,4,X'7F18DC9BFA9B0F27AB93B389B6672921',X'0100000003F217C1CD0E1A3B8086299F7993E53C293178232D551086F0E8AF72ED1E5041C7D108D5827F52A9CEFEA258C5','generated');
CREATE TABLE network (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	domain_id INTEGER NOT NULL, 
	prefix VARCHAR(43) NOT NULL, 
	jrc_address VARCHAR(39), 
	short_id_first INTEGER NOT NULL, 
	short_id_last INTEGER NOT NULL, 
	lease_hours BIGINT, 
	join_rate BIGINT, 
	profile VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	removed_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_network PRIMARY KEY (id), 
	CONSTRAINT fk_network_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id)
);
INSERT INTO "network" VALUES(1,'lab',1,'2001:db8::/64',NULL,1,32767,NULL,NULL,'rfc9031',1796000000000,NULL,1,X'FBC3447B3DC1B4C4FAB878AD2250BA90');
CREATE TABLE network_identifier (
	network_id INTEGER NOT NULL, 
	identifier BLOB NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_network_identifier PRIMARY KEY (network_id, identifier), 
	CONSTRAINT fk_network_identifier_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
INSERT INTO "network_identifier" VALUES(1,X'CAFE',0);
CREATE TABLE node (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	role INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	first_joined_at_ms BIGINT NOT NULL, 
	address VARCHAR(39), 
	CONSTRAINT pk_node PRIMARY KEY (pledge_id), 
	CONSTRAINT fk_node_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id), 
	CONSTRAINT fk_node_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_node_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE pledge (
	id INTEGER NOT NULL, 
	identifier BLOB NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	state_before_revocation VARCHAR(16), 
	role INTEGER NOT NULL, 
	label TEXT NOT NULL, 
	profile VARCHAR(16), 
	credential_id INTEGER, 
	import_id INTEGER, 
	supersedes_id INTEGER, 
	created_at_ms BIGINT NOT NULL, 
	updated_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_pledge PRIMARY KEY (id), 
	CONSTRAINT fk_pledge_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_pledge_supersedes_id_pledge FOREIGN KEY(supersedes_id) REFERENCES pledge (id), 
	CONSTRAINT uq_pledge_identifier UNIQUE (identifier)
);
INSERT INTO "pledge" VALUES(1,X'00124B0000000001','provisioned',NULL,0,'',NULL,1,NULL,NULL,1796000000000,1796000000000,1,X'FB5EAC03EDB8DB3BBD5F5BB4FFBCB431');
INSERT INTO "pledge" VALUES(2,X'00124B0000000002','revoked','provisioned',0,'',NULL,2,NULL,NULL,1796000000000,1796000000000,2,X'A0DC4AD1E09F857F9D7A8EE2E3D51E64');
INSERT INTO "pledge" VALUES(3,X'00124B0000000003','removed',NULL,0,'',NULL,NULL,NULL,NULL,1796000000000,1796000000000,2,X'641B8C40021B9E19489548530F4EA310');
CREATE TABLE pledge_network (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_pledge_network PRIMARY KEY (pledge_id, network_id), 
	CONSTRAINT fk_pledge_network_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_pledge_network_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
INSERT INTO "pledge_network" VALUES(1,1,0);
INSERT INTO "pledge_network" VALUES(2,1,0);
CREATE TABLE short_identifier (
	domain_id INTEGER NOT NULL, 
	value INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	first_generation BIGINT NOT NULL, 
	last_generation BIGINT NOT NULL, 
	lease_until_ms BIGINT, 
	released_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_short_identifier PRIMARY KEY (domain_id, value), 
	CONSTRAINT ck_short_identifier_value CHECK (value BETWEEN 0 AND 65533), 
	CONSTRAINT fk_short_identifier_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id), 
	CONSTRAINT fk_short_identifier_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE staged_change (
	import_id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	credential_id INTEGER, 
	role INTEGER NOT NULL, 
	label TEXT NOT NULL, 
	profile VARCHAR(16), 
	network_ids TEXT NOT NULL, 
	source TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_staged_change PRIMARY KEY (import_id, pledge_id), 
	CONSTRAINT fk_staged_change_credential_id_credential FOREIGN KEY(credential_id) REFERENCES credential (id), 
	CONSTRAINT fk_staged_change_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_staged_change_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE unsupported_parameter (
	pledge_id INTEGER NOT NULL, 
	label BIGINT NOT NULL, 
	code BIGINT NOT NULL, 
	addinfo BLOB, 
	reported_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_unsupported_parameter PRIMARY KEY (pledge_id, label), 
	CONSTRAINT fk_unsupported_parameter_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE INDEX ix_event_pledge ON event (pledge) WHERE kind <> 'pledge.joined';
CREATE INDEX ix_network_domain_id ON network (domain_id);
CREATE UNIQUE INDEX uq_network_name_live ON network (name) WHERE removed_at_ms IS NULL;
CREATE INDEX ix_pledge_import_id ON pledge (import_id);
CREATE INDEX ix_credential_import_id ON credential (import_id);
CREATE INDEX ix_credential_pledge_id ON credential (pledge_id);
CREATE INDEX ix_link_layer_key_generation_id ON link_layer_key (generation_id);
CREATE INDEX ix_network_identifier_identifier ON network_identifier (identifier);
CREATE INDEX ix_node_network_id ON node (network_id);
CREATE INDEX ix_pledge_network_network ON pledge_network (network_id, pledge_id);
CREATE INDEX ix_short_identifier_pledge ON short_identifier (pledge_id);
CREATE UNIQUE INDEX uq_short_identifier_holder ON short_identifier (domain_id, pledge_id) WHERE released_at_ms IS NULL;
CREATE INDEX ix_context_credential_id ON context (credential_id);
CREATE INDEX ix_context_pledge_id ON context (pledge_id);
CREATE INDEX ix_staged_change_credential_id ON staged_change (credential_id);
CREATE INDEX ix_context_kid_context_id ON context_kid (context_id);
COMMIT;
