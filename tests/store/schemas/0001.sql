BEGIN TRANSACTION;
CREATE TABLE admission (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	asked_at_ms BIGINT, 
	admitted_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_admission PRIMARY KEY (pledge_id, network_id), 
	CONSTRAINT fk_admission_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_admission_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
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
	replaces_id INTEGER, 
	CONSTRAINT pk_context PRIMARY KEY (id), 
	CONSTRAINT fk_context_credential_id_credential FOREIGN KEY(credential_id) REFERENCES credential (id), 
	CONSTRAINT fk_context_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
INSERT INTO "context" VALUES(1,1,1,X'00124B0000000001',10,X'0100000002F0FE94E28CC8F630024C44D8137907FEF6913B07DF55DD422CA3F7FDA0B9B73D26BCC7172143AB10E32E4D5DC6F28B008EE56797B2369A458B740E9A2187B01D8E16210C2EC8D3679255FD6110',1796000000000,NULL);
INSERT INTO "context" VALUES(2,2,2,X'00124B0000000002',10,X'0100000002EBD55B61CED3C6D2FABB8ADC1DD56179774DBC484135E90ECDBC793ED7869774A7CB13BD14A69F002322D819509C02CE972462AC23D04F7DB3D320539826C8CB900FFF9A1E0B92AA4D10E38701',1796000000000,NULL);
INSERT INTO "context" VALUES(3,3,3,X'00124B0000000003',10,X'',1796000000000,NULL);
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
INSERT INTO "context_state" VALUES(1,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'76372E290FC57D32FA8D793AF3C88A7C');
INSERT INTO "context_state" VALUES(2,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'51032B6F0DA2B6FD1B35051B7AE88617');
INSERT INTO "context_state" VALUES(3,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'FF34D790481DB9BD8A678CDE91A227F2');
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
INSERT INTO "credential" VALUES(1,1,'psk',X'010000000196711BF67A7FB634DAA159190E322C97D28873D18342A6270981A57C4811175792163E9D791340421DA2E1BF',10,-10,'operator','','current',NULL,X'E701FC1EF0F5291D9FCA8C81920DAA9D',X'1CA8DAFAC0C6666DE985C239D3515CA2',X'5517877B49BAC6062308001974F3C4B2',1796000000000,NULL);
INSERT INTO "credential" VALUES(2,2,'psk',X'01000000015721D7C22011DE6E1DA1194C37F2209C6C8DEA23C19D77237AC51F49657910B7925715FDC0CEA211097AB4DC',10,-10,'operator','','current',NULL,X'FF068A81C460AE023CD1798D81492465',X'CE1748A2227E646AF8C07463D65C93D8',X'9B1293BD5429A3CD2D9FB88D860D0DD6',1796000000000,NULL);
INSERT INTO "credential" VALUES(3,3,'psk',NULL,10,-10,'operator','','removed',NULL,X'966466FB2D4F437623B39DDFDFF8CC69',X'70F524D93BC7D9B7FEAC954833FED988',X'574A2A776009118F4D69EF84C35CF092',1796000000000,1796000000000);
CREATE TABLE data_key (
	id INTEGER NOT NULL, 
	purpose VARCHAR(32) NOT NULL, 
	kek_id BLOB NOT NULL, 
	wrapped BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_data_key PRIMARY KEY (id)
);
INSERT INTO "data_key" VALUES(1,'credential',X'A63E2B45D10CE79C',X'01460515679155C012DB801C2F2FF07AA0FE34D4B21D83CCF35E0BEC7129A9EDFE15468908557998E8AC1AE59622790DD72E883A42DFF439DF4498768D',1796000000000,NULL);
INSERT INTO "data_key" VALUES(2,'context',X'A63E2B45D10CE79C',X'01C6175EAD24ACEC17C6D8B943C3720D90697AEE8BA22EBC47E43A5001091117598B6FF963B71C5BDE39ED0DC34C662B8BB1ABCEAA2B04D360EA1E2E7B',1796000000000,NULL);
INSERT INTO "data_key" VALUES(3,'link_layer',X'A63E2B45D10CE79C',X'0145CF0E6E427341A4A3FB875A45B7819780B73ABFB0D9BAF110E0B82206A12D10D43C8BD7B7EAB293566F0499CCD5626D05965CD1ED228060EA4C2803',1796000000000,NULL);
INSERT INTO "data_key" VALUES(4,'row_mac',X'A63E2B45D10CE79C',X'01A09223EB7C19BFC4AD3BA5ACF0A7ADB5F4C77AF168CFFC767288BBAD3B5F018D3AE6D67FA75D8898DF3B32A959086AE7C6B5FC76044E9915341DF94E',1796000000000,NULL);
INSERT INTO "data_key" VALUES(5,'fingerprint',X'A63E2B45D10CE79C',X'01A8227CDC8AD6E43690A2C46782100C831B96F9E4564717F39727B249DDAF5D2B6A8F654179B87CC0B84DEB2DCCE123EB9DABEAF70CAD0D2745B10716',1796000000000,NULL);
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
INSERT INTO "event" VALUES(2,1796000000000,'network.added',NULL,'lab','cli:uid=1000','','{"admission":"known","identifiers":["cafe"],"join_rate_bytes_per_s":null,"jrc_address":null,"jrc_address_from":null,"key_domain":"lab","lease_hours":null,"prefix":"2001:db8::/64","prefix_from":null,"profile":"rfc9031","quiet_outside_windows":false,"short_ids":"0001-7fff","throttle_bytes_per_s":null}',X'30E258CC002D68512D58725B26A8EC3A6428429B16FE18DD9C07922951B71E84');
INSERT INTO "event" VALUES(3,1796000000000,'pledge.added',X'00124B0000000001',NULL,'cli:uid=1000','','{"key":"operator","label":"","networks":["lab"],"profile":null,"role":"6ln","state":"provisioned"}',X'BB1A5D5B61D2069B449384EB78E411DB32305A79F7250E6AD7353A334728AF5C');
INSERT INTO "event" VALUES(4,1796000000000,'pledge.added',X'00124B0000000002',NULL,'cli:uid=1000','','{"key":"operator","label":"","networks":["lab"],"profile":null,"role":"6ln","state":"provisioned"}',X'F57B79861AA58C18E6C3A11EAB32975B288B7C91DE4522A570A2E27BA65F5248');
INSERT INTO "event" VALUES(5,1796000000000,'pledge.added',X'00124B0000000003',NULL,'cli:uid=1000','','{"key":"operator","label":"","networks":["lab"],"profile":null,"role":"6ln","state":"provisioned"}',X'2B46D6227EEA3746026D8BD4E2B386F0B5A47F8FB782DCD20D531C4B74704384');
INSERT INTO "event" VALUES(6,1796000000000,'pledge.revoked',X'00124B0000000002',NULL,'cli:uid=1000','','{"joined":null,"networks":["lab"],"short_ids":{},"state":["provisioned","revoked"]}',X'2A7D7B7D35B3390269DF3859B956DD9C4CEBBEE45BBEB665601670B28A9CA897');
INSERT INTO "event" VALUES(7,1796000000000,'pledge.removed',X'00124B0000000003',NULL,'cli:uid=1000','','{"joined":null,"networks":["lab"],"short_ids":{},"state":["provisioned","removed"]}',X'279116B344532465A3698B46A6488917B85A2E3BC40A600917FF6CDF5F7D3FDE');
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
CREATE TABLE installation (
	network_id INTEGER NOT NULL, 
	installer VARCHAR(64) NOT NULL, 
	generation BIGINT, 
	installed_at_ms BIGINT, 
	tried_at_ms BIGINT NOT NULL, 
	failures BIGINT NOT NULL, 
	error TEXT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_installation PRIMARY KEY (network_id, installer), 
	CONSTRAINT fk_installation_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
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
	condition VARCHAR(16) NOT NULL, 
	condition_since_ms BIGINT NOT NULL, 
	condition_detail TEXT NOT NULL, 
	incarnation BIGINT NOT NULL, 
	event_floor BIGINT NOT NULL, 
	event_floor_hash BLOB NOT NULL, 
	server VARCHAR(64), 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_instance PRIMARY KEY (id), 
	CONSTRAINT ck_instance_single CHECK (id = 1), 
	CONSTRAINT ck_instance_condition CHECK (condition IN ('open', 'quarantined', 'moved'))
);
INSERT INTO "instance" VALUES(1,X'7C988698D0E0D0B509253D291FD2943E',1796000000000,6,7,X'279116B344532465A3698B46A6488917B85A2E3BC40A600917FF6CDF5F7D3FDE',6,1796000000000,'open',1796000000000,'',0,0,X'0000000000000000000000000000000000000000000000000000000000000000',NULL,7,X'2082EF5AEECC07A7BDA4FBD66A0708A7');
CREATE TABLE join_window (
	id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	opened_at_ms BIGINT NOT NULL, 
	until_ms BIGINT NOT NULL, 
	max_pledges BIGINT NOT NULL, 
	admitted BIGINT NOT NULL, 
	seen_before_ms BIGINT NOT NULL, 
	closed_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_join_window PRIMARY KEY (id), 
	CONSTRAINT ck_join_window_admitted CHECK (admitted BETWEEN 0 AND max_pledges), 
	CONSTRAINT fk_join_window_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
CREATE TABLE key_domain (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	key_usages VARCHAR(32) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	incarnation BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_key_domain PRIMARY KEY (id), 
	CONSTRAINT uq_key_domain_name UNIQUE (name)
);
INSERT INTO "key_domain" VALUES(1,'lab','0',1796000000000,0,1,X'949A87F0E178CC043B0772BADD23A5F3');
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
INSERT INTO "key_generation" VALUES(1,1,1,'current',1796000000000,1796000000000,NULL,1,X'02EC56609AEDD8C88AA3CB80B7ADCF61');
CREATE TABLE key_slot (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	key_id BLOB NOT NULL, 
	public_key BLOB, 
	kek_id BLOB NOT NULL, 
	wrapped BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_key_slot PRIMARY KEY (id), 
	CONSTRAINT ck_key_slot_kind CHECK (kind IN ('file', 'recovery')), 
	CONSTRAINT uq_key_slot_name UNIQUE (name)
);
INSERT INTO "key_slot" VALUES(1,'file','file',X'EA005540E259A686',NULL,X'A63E2B45D10CE79C',X'4B75C92E7ED28252C5692BBD8E22D257E9A1F4B994922841A6B7A66F3CF88DC4CEDA479D62167FD40481713E90C39650D0A72AC1DF2490B850718A69',1796000000000,1,X'8A71A2B3A2DBCF2872BA40DA51C2AE90');
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
INSERT INTO "link_layer_key" VALUES(1,1,1,0,NULL,4,X'FCEC41AC82CC5F96AADBF8EB5E5C4359',X'01000000039C06DA124E6FC795E5F5B9F6C99199988E481146B27D20FA92F55030EB7E37B1E29090A7DA30746367C9DF04','generated');
CREATE TABLE network (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	domain_id INTEGER NOT NULL, 
	prefix VARCHAR(43) NOT NULL, 
	prefix_from VARCHAR(15), 
	jrc_address VARCHAR(39), 
	jrc_address_from VARCHAR(15), 
	addresses_changed_at_ms BIGINT, 
	short_id_first INTEGER NOT NULL, 
	short_id_last INTEGER NOT NULL, 
	lease_hours BIGINT, 
	join_rate BIGINT, 
	throttle BIGINT, 
	quiet INTEGER NOT NULL, 
	profile VARCHAR(16) NOT NULL, 
	admission VARCHAR(16) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	removed_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_network PRIMARY KEY (id), 
	CONSTRAINT ck_network_admission CHECK (admission IN ('known', 'window', 'approval')), 
	CONSTRAINT fk_network_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id)
);
INSERT INTO "network" VALUES(1,'lab',1,'2001:db8::/64',NULL,NULL,NULL,NULL,1,32767,NULL,NULL,NULL,0,'rfc9031','known',1796000000000,NULL,1,X'348B885537A301E1CD316D6CF8ADD57B');
CREATE TABLE network_identifier (
	network_id INTEGER NOT NULL, 
	identifier BLOB NOT NULL, 
	position INTEGER NOT NULL, 
	since_ms BIGINT NOT NULL, 
	CONSTRAINT pk_network_identifier PRIMARY KEY (network_id, identifier), 
	CONSTRAINT fk_network_identifier_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
INSERT INTO "network_identifier" VALUES(1,X'CAFE',0,1796000000000);
CREATE TABLE network_settings (
	network_id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	join_rate BIGINT, 
	jrc_address VARCHAR(39), 
	blocked BLOB NOT NULL, 
	since_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_network_settings PRIMARY KEY (network_id, number), 
	CONSTRAINT fk_network_settings_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
);
INSERT INTO "network_settings" VALUES(1,0,NULL,NULL,X'80',1796000000000,1,X'2AC4247F554B29B82203045D993EAE27');
INSERT INTO "network_settings" VALUES(1,1,NULL,NULL,X'814800124B0000000002',1796000000000,1,X'077424938A1C3B4D563E27206ECF9818');
CREATE TABLE node (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	role INTEGER NOT NULL, 
	generation_id INTEGER, 
	first_joined_at_ms BIGINT NOT NULL, 
	address VARCHAR(39), 
	settings_number BIGINT NOT NULL, 
	sleep_s BIGINT, 
	CONSTRAINT pk_node PRIMARY KEY (pledge_id), 
	CONSTRAINT fk_node_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id), 
	CONSTRAINT fk_node_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_node_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE TABLE node_update (
	pledge_id INTEGER NOT NULL, 
	attempts BIGINT NOT NULL, 
	last_error TEXT, 
	tried_at_ms BIGINT, 
	next_at_ms BIGINT, 
	acknowledged_at_ms BIGINT, 
	refused_number BIGINT, 
	lease_sent_at_ms BIGINT, 
	throttle BIGINT, 
	told_throttle BIGINT, 
	CONSTRAINT pk_node_update PRIMARY KEY (pledge_id), 
	CONSTRAINT fk_node_update_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
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
INSERT INTO "pledge" VALUES(1,X'00124B0000000001','provisioned',NULL,0,'',NULL,1,NULL,NULL,1796000000000,1796000000000,1,X'EC54AFB1A8DFD0FB6A36FACBA73188B9');
INSERT INTO "pledge" VALUES(2,X'00124B0000000002','revoked','provisioned',0,'',NULL,2,NULL,NULL,1796000000000,1796000000000,2,X'B81B35DAB0DCE55BF28080462C837A84');
INSERT INTO "pledge" VALUES(3,X'00124B0000000003','removed',NULL,0,'',NULL,NULL,NULL,NULL,1796000000000,1796000000000,2,X'4D5CBC3F8C5F8DBC20DA65BA75953FE2');
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
CREATE TABLE recovery_run (
	r2 BLOB NOT NULL, 
	context_id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	request_digest BLOB NOT NULL, 
	answer BLOB NOT NULL, 
	answer_peer BLOB NOT NULL, 
	begun_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_recovery_run PRIMARY KEY (r2), 
	CONSTRAINT fk_recovery_run_context_id_context FOREIGN KEY(context_id) REFERENCES context (id)
);
CREATE TABLE rollover (
	id INTEGER NOT NULL, 
	domain_id INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	former_generation_id INTEGER NOT NULL, 
	phase VARCHAR(16) NOT NULL, 
	paused_from VARCHAR(16), 
	pause_cause VARCHAR(32), 
	cause VARCHAR(16) NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	reason TEXT NOT NULL, 
	quorum INTEGER NOT NULL, 
	deadline_s BIGINT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	distributing_at_ms BIGINT, 
	deadline_at_ms BIGINT, 
	switching_at_ms BIGINT, 
	guarding_at_ms BIGINT, 
	ended_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_rollover PRIMARY KEY (id), 
	CONSTRAINT ck_rollover_quorum CHECK (quorum BETWEEN 0 AND 1000), 
	CONSTRAINT fk_rollover_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id), 
	CONSTRAINT fk_rollover_former_generation_id_key_generation FOREIGN KEY(former_generation_id) REFERENCES key_generation (id), 
	CONSTRAINT fk_rollover_generation_id_key_generation FOREIGN KEY(generation_id) REFERENCES key_generation (id)
);
CREATE TABLE rollover_node (
	rollover_id INTEGER NOT NULL, 
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	role INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts BIGINT NOT NULL, 
	last_error TEXT, 
	sent_at_ms BIGINT, 
	reached_at_ms BIGINT, 
	tried_at_ms BIGINT, 
	next_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_rollover_node PRIMARY KEY (rollover_id, pledge_id), 
	CONSTRAINT fk_rollover_node_network_id_network FOREIGN KEY(network_id) REFERENCES network (id), 
	CONSTRAINT fk_rollover_node_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id), 
	CONSTRAINT fk_rollover_node_rollover_id_rollover FOREIGN KEY(rollover_id) REFERENCES rollover (id)
);
CREATE TABLE short_identifier (
	domain_id INTEGER NOT NULL, 
	value INTEGER NOT NULL, 
	pledge_id INTEGER, 
	first_generation BIGINT NOT NULL, 
	last_generation BIGINT NOT NULL, 
	lease_until_ms BIGINT, 
	released_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_short_identifier PRIMARY KEY (domain_id, value), 
	CONSTRAINT ck_short_identifier_holder CHECK (pledge_id IS NOT NULL OR released_at_ms IS NOT NULL), 
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
CREATE TABLE wanted_rollover (
	domain_id INTEGER NOT NULL, 
	cause VARCHAR(16) NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	reason TEXT NOT NULL, 
	asked_at_ms BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_wanted_rollover PRIMARY KEY (domain_id), 
	CONSTRAINT fk_wanted_rollover_domain_id_key_domain FOREIGN KEY(domain_id) REFERENCES key_domain (id)
);
CREATE INDEX ix_event_kind ON event (kind, number) WHERE kind <> 'pledge.joined';
CREATE INDEX ix_event_pledge ON event (pledge) WHERE kind <> 'pledge.joined';
CREATE INDEX ix_network_domain_id ON network (domain_id);
CREATE UNIQUE INDEX uq_network_name_live ON network (name) WHERE removed_at_ms IS NULL;
CREATE UNIQUE INDEX uq_join_window_open ON join_window (network_id) WHERE closed_at_ms IS NULL;
CREATE INDEX ix_pledge_import_id ON pledge (import_id);
CREATE INDEX ix_pledge_supersedes_id ON pledge (supersedes_id);
CREATE INDEX ix_admission_network_id ON admission (network_id);
CREATE INDEX ix_credential_import_id ON credential (import_id);
CREATE INDEX ix_credential_pledge_id ON credential (pledge_id);
CREATE INDEX ix_link_layer_key_generation_id ON link_layer_key (generation_id);
CREATE INDEX ix_network_identifier_identifier ON network_identifier (identifier);
CREATE INDEX ix_pledge_network_network ON pledge_network (network_id, pledge_id);
CREATE UNIQUE INDEX uq_short_identifier_holder ON short_identifier (pledge_id, domain_id);
CREATE INDEX ix_context_credential_id ON context (credential_id);
CREATE INDEX ix_context_pledge_id ON context (pledge_id);
CREATE INDEX ix_staged_change_credential_id ON staged_change (credential_id);
CREATE INDEX ix_context_kid_context_id ON context_kid (context_id);
CREATE INDEX ix_recovery_run_context_id ON recovery_run (context_id);
CREATE INDEX ix_node_update_due ON node_update (next_at_ms) WHERE next_at_ms IS NOT NULL;
CREATE UNIQUE INDEX uq_rollover_running ON rollover (domain_id) WHERE ended_at_ms IS NULL;
CREATE INDEX ix_rollover_node_due ON rollover_node (next_at_ms) WHERE next_at_ms IS NOT NULL;
COMMIT;
