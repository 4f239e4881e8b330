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
INSERT INTO "context" VALUES(1,1,1,X'00124B0000000001',10,X'010000000287F786B07C32022F4D46359375FDED96793897E0BADB887FC9073421FE1606AFA6BD7303BC9A3DB15ED854003C8F35341E322052F7F63A2F84FC22E42BAB66F7058B002D600CD4A1D90F5C0549',1796000000000);
INSERT INTO "context" VALUES(2,2,2,X'00124B0000000002',10,X'010000000229D48169864525DF78AFCA30687CA039F0430019F6A76F81345DC6E120C21DAD40AA71F98C7001F8DFBE4EC4B85920E1C9A5E447749A3E834318FBDC1F576DDAFD5D10D4D65C4A42AE6EE12685',1796000000000);
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
INSERT INTO "context_state" VALUES(1,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'07D06BF9C35C649C34BBBF9826DA71D9');
INSERT INTO "context_state" VALUES(2,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'0E759589611F60AFE3332233627D4B7C');
INSERT INTO "context_state" VALUES(3,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'9FC660EB1BACED1EF1EF8C0E900F3E9C');
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
INSERT INTO "credential" VALUES(1,1,'psk',X'01000000012B2073A26D8ADDF36310AB27E98529D24FE580D7CB8A73BB5B682FC01EBA75EFA325C86730CA222D52795C70',10,-10,'operator','','current',NULL,X'C201298D9F939E3A7CDAB901711F609E',X'40E99C7D9763BC94C3CF4278C78F99E1',X'4387A228BDA9B7964635110A60E242C7',1796000000000,NULL);
INSERT INTO "credential" VALUES(2,2,'psk',X'0100000001019DC48201919510E13431FE805CE4A0B6AD303EA93FD173CDDF22603BBE359E2EAE89F5BC96DB13E5398F12',10,-10,'operator','','current',NULL,X'C977B7505AB8ABF227621C4C6011712B',X'5E1A7A05C8AB1FA32C36EF0B510A0F1B',X'96475AEB30EE1D2DDE8FB5A8BE9E8BD6',1796000000000,NULL);
INSERT INTO "credential" VALUES(3,3,'psk',NULL,10,-10,'operator','','removed',NULL,X'B2376DE2C9261A57D974F336A595A5E5',X'A46475E76E0CFFBDF5E6846CE82A390F',X'15153D127681F861E5846A3EB52055CA',1796000000000,1796000000000);
CREATE TABLE data_key (
	id INTEGER NOT NULL, 
	purpose VARCHAR(32) NOT NULL, 
	kek_id BLOB NOT NULL, 
	wrapped BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_data_key PRIMARY KEY (id)
);
INSERT INTO "data_key" VALUES(1,'credential',X'8280A12AA72F9B64',X'01D386E9DF515CFFCED25023F9AD9FACDE716546AD4BABFAE65148889C59A44EAB3ADB1935F96F5C3283051122E1779B9EDF883BACD12D32B1D5D7E0B5',1796000000000,NULL);
INSERT INTO "data_key" VALUES(2,'context',X'8280A12AA72F9B64',X'01E860DF7211E03B0D0757522F9676095249FAF9B141455D8EDA3AC52E54B2CD852BE75FF6D57B71E9BB7E73CF939BD7F5C45016388F667B9B2E749D30',1796000000000,NULL);
INSERT INTO "data_key" VALUES(3,'link_layer',X'8280A12AA72F9B64',X'0185168A8F986F489926FF50D0287BDCB3726FA83EE18312080F007BFD64A8573E50B9B9D1D4D7E487F223AB7C17C869AABA6EC2D25EA3F19889E6C4B1',1796000000000,NULL);
INSERT INTO "data_key" VALUES(4,'row_mac',X'8280A12AA72F9B64',X'01E8E78ED354267C70105DA2C97D849D62A7D380CC4E7344CA207A7078AB57120F17149122747CF85191AFDEADC47A33124785497575B695C4BA462B2E',1796000000000,NULL);
INSERT INTO "data_key" VALUES(5,'fingerprint',X'8280A12AA72F9B64',X'018CD779A3371C859776FF986F155093C12BC81868C3D291D0AA05201C78A7EB749A7E7D8A6F10F321A288F0381BF123D163C56C56715AEA38BF6D1470',1796000000000,NULL);
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
INSERT INTO "instance" VALUES(1,X'014A52532BB867DB63E3872336E76068',1796000000000,6,7,X'334EB1234C02B79559340AE6C20FAFBA9DAAD97192AAE3E5ED3E9E984FE5D85B',6,1796000000000,7,X'C4428E9876128F5C6C7A801EA51BD532');
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
INSERT INTO "key_domain" VALUES(1,'lab','0',1796000000000,1,X'86D8CA647AE77DA8247E30E64C7D733E');
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
INSERT INTO "key_generation" VALUES(1,1,1,'current',1796000000000,1796000000000,NULL,1,X'754AFEDE4F95265DC02B0C57DF760C63');
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
INSERT INTO "link_layer_key" VALUES(1,1,1,0,NULL,4,X'BB4FD296F75945AC48D421C0E690E395',X'0100000003F4CB846EE696BFAAFB0CD46681D5D92178BBAFE28DE44CF5A9AD88EB6E3C11BB7CDA4E0355EF6D83E1DC358B','generated');
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
INSERT INTO "network" VALUES(1,'lab',1,'2001:db8::/64',NULL,1,32767,NULL,NULL,'rfc9031',1796000000000,NULL,1,X'4B9C938246E77F84B6D7C4FBADEDF818');
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
INSERT INTO "pledge" VALUES(1,X'00124B0000000001','provisioned',NULL,0,'',NULL,1,NULL,NULL,1796000000000,1796000000000,1,X'F6E5A306CE450BF885D386D4E67CBD98');
INSERT INTO "pledge" VALUES(2,X'00124B0000000002','revoked','provisioned',0,'',NULL,2,NULL,NULL,1796000000000,1796000000000,2,X'4C53109A2910680AE298CE83075B74A4');
INSERT INTO "pledge" VALUES(3,X'00124B0000000003','removed',NULL,0,'',NULL,NULL,NULL,NULL,1796000000000,1796000000000,2,X'B49F9992D3B1EBFF266CD65440E6288C');
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
