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
CREATE TABLE api_token (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	scope VARCHAR(16) NOT NULL, 
	hash BLOB NOT NULL, 
	incarnation BIGINT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	expires_at_ms BIGINT, 
	used_at_ms BIGINT, 
	revoked_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_api_token PRIMARY KEY (id), 
	CONSTRAINT ck_api_token_scope CHECK (scope IN ('read', 'import', 'operate', 'admin')), 
	CONSTRAINT uq_api_token_hash UNIQUE (hash)
);
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
INSERT INTO "context" VALUES(1,1,1,X'00124B0000000001',10,X'0100000002D24A68B6A36C2F26A4BD2D6ED62764712CC3B6CEA0083CC90FA0C49AB62CD3564A936470B804887515C72A7467C2B84A9E5E8B4DF34C2031911D441A757D93F6473F21EC846F2A5437346F0BD3',1796000000000,NULL);
INSERT INTO "context" VALUES(2,2,2,X'00124B0000000002',10,X'0100000002BDD49F5A0DDAF2535573F97DF4DB440ABE4A494813EA6E11F010A8AD27BABE760FE3F016597DF7C80B2164DB3E9D4FB5D0915329805BED06BA45FD3CB178DDD875A54459F4B9659AFF4B10F01D',1796000000000,NULL);
INSERT INTO "context" VALUES(3,3,3,X'00124B0000000003',10,X'',1796000000000,NULL);
CREATE TABLE context_kid (
	kid_context BLOB NOT NULL, 
	context_id INTEGER NOT NULL, 
	CONSTRAINT pk_context_kid PRIMARY KEY (kid_context, context_id), 
	CONSTRAINT fk_context_kid_context_id_context FOREIGN KEY(context_id) REFERENCES context (id)
)
 WITHOUT ROWID

;
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
INSERT INTO "context_state" VALUES(1,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'D02E639E3E2023C1FBECE163FE114124');
INSERT INTO "context_state" VALUES(2,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'054C7C533DAC9406554ED90941DAA410');
INSERT INTO "context_state" VALUES(3,-1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1,X'D347B4137618CD9CB32237C9047D49A3');
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
	CONSTRAINT ck_credential_state CHECK (state IN ('staged','current','candidate','superseded','withdrawn','transferred','removed')), 
	CONSTRAINT fk_credential_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT fk_credential_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
INSERT INTO "credential" VALUES(1,1,'psk',X'0100000001557D876ECF681012D9A8CBA84704CF44E64AB3A2B50482C4437C78DDD50C9D0317FAD489CE68E5A86B0992DC',10,-10,'operator','','current',NULL,X'DD7B9230A58177B24B851C89C59CC9B5',X'08ECFE555FC891F12C56D317BACB091B',X'5B9CDA69906253F9F9AA5390DFD9830F',1796000000000,NULL);
INSERT INTO "credential" VALUES(2,2,'psk',X'0100000001152AE4A01F0370EF0DD28D6E8201D7CAB741D7D7691837C8E2EAFCA54CFD0291A9ACE274425D01F9B59E7A69',10,-10,'operator','','current',NULL,X'A014A3A91EB4A100F49B0886C5A91A1D',X'83BDD8613376FBB707D8DF6947D447FE',X'CF60A58BE94B9EC442F55270695C6537',1796000000000,NULL);
INSERT INTO "credential" VALUES(3,3,'psk',NULL,10,-10,'operator','','removed',NULL,X'77F6288B271D96FE0665FFC5DE75E459',X'2545C7E1E9F43D7116DBE3C7CE15E7D3',X'626D4176875FFCD53E3B9B65B91BB0A3',1796000000000,1796000000000);
CREATE TABLE data_key (
	id INTEGER NOT NULL, 
	purpose VARCHAR(32) NOT NULL, 
	kek_id BLOB NOT NULL, 
	wrapped BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	retired_at_ms BIGINT, 
	CONSTRAINT pk_data_key PRIMARY KEY (id)
);
INSERT INTO "data_key" VALUES(1,'credential',X'9F288DC1E6E72FBB',X'015F5484D4C1ED423B9207896322FE8695FDA89E4E09364995FDF3EF3FC0837276FD2BD4575E3E51FD19E68F6D9C2D8CE60C3046EDC9A851266D0A2287',1796000000000,NULL);
INSERT INTO "data_key" VALUES(2,'context',X'9F288DC1E6E72FBB',X'01497D57BD527DA7E4D8D08CDA2BF5740DD02D1B856E105A598942C49B72BDDE8543A12448F9F3F34CF21A1656CC289E95FA57BB43446E3E159FBCB1C7',1796000000000,NULL);
INSERT INTO "data_key" VALUES(3,'link_layer',X'9F288DC1E6E72FBB',X'016F9EEB85A67DB7342D62B62791F6F730AA38A544A1AB346C754B67495A66FA63D322A52CE4B36E00D894B0BA93B3611E7055A978E1990DA6A71B1EA4',1796000000000,NULL);
INSERT INTO "data_key" VALUES(4,'row_mac',X'9F288DC1E6E72FBB',X'018BD865EC74E5BE92F700C193C1B2AD6190BC0FBF302D1B82DF5DD05F7108A178986CEBAA1AA722FA4BBE9B5DE12243022A40FA0D6BEDB13726009EE0',1796000000000,NULL);
INSERT INTO "data_key" VALUES(5,'fingerprint',X'9F288DC1E6E72FBB',X'012639D7D1E583190E540D1AB414295B3FFCDD1D2E56FAE70B04BFE29B1A2CB22FA4A5FF6BDB8DB1FBEACA0D6FF43A13DD138BCAC513BE23960683C895',1796000000000,NULL);
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
INSERT INTO "event" VALUES(8,1796000000000,'identity.recorded',X'00124B0000000001',NULL,'cli:uid=1000','','{"curve":"P-256","provenance":"serial","thumbprint":"adaa6ed658a0d198a5adced5963a2b6076ec7d319bde1c2facf5ecb6f62140f9","where":"tty"}',X'C3A2D97359667AEDC706C3A98B9DBD4AB1618E89D0F0E2DDCF22EA116A3DC2B7');
CREATE TABLE handover (
	id INTEGER NOT NULL, 
	builder BLOB NOT NULL, 
	serial VARCHAR(64) NOT NULL, 
	digest BLOB NOT NULL, 
	import_id INTEGER NOT NULL, 
	row_count BIGINT NOT NULL, 
	expires_at_ms BIGINT NOT NULL, 
	opened_at_ms BIGINT NOT NULL, 
	actor TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_handover PRIMARY KEY (id), 
	CONSTRAINT fk_handover_import_id_import_batch FOREIGN KEY(import_id) REFERENCES import_batch (id), 
	CONSTRAINT uq_handover_builder_serial UNIQUE (builder, serial)
);
CREATE TABLE identity (
	id INTEGER NOT NULL, 
	identifier BLOB NOT NULL, 
	credential BLOB NOT NULL, 
	thumbprint BLOB NOT NULL, 
	provenance VARCHAR(16) NOT NULL, 
	place VARCHAR(128) NOT NULL, 
	recorded_at_ms BIGINT NOT NULL, 
	superseded_at_ms BIGINT, 
	version BIGINT NOT NULL, 
	mac BLOB NOT NULL, 
	CONSTRAINT pk_identity PRIMARY KEY (id), 
	CONSTRAINT ck_identity_provenance CHECK (provenance IN ('serial', 'file', 'api', 'operator'))
);
INSERT INTO "identity" VALUES(1,X'00124B0000000001',X'A108A101A4010202402001215820F5A9D4F11AECDD203323689EED98B4A92637B367E6DBE9C71A2CF83833758D59',X'ADAA6ED658A0D198A5ADCED5963A2B6076EC7D319BDE1C2FACF5ECB6F62140F9','serial','tty',1796000000000,NULL,1,X'2F2628B9264E8E8BA87CC84407D3D8AF');
CREATE TABLE import_batch (
	id INTEGER NOT NULL, 
	source TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	reason TEXT NOT NULL, 
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
INSERT INTO "instance" VALUES(1,X'B65EDFBFAD3DC3A1A6B9AB533734FB09',1796000000000,7,8,X'C3A2D97359667AEDC706C3A98B9DBD4AB1618E89D0F0E2DDCF22EA116A3DC2B7',6,1796000000000,'open',1796000000000,'',0,0,X'0000000000000000000000000000000000000000000000000000000000000000',NULL,8,X'B777B3A00588C09CAC0756FEF37D1CEF');
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
INSERT INTO "key_domain" VALUES(1,'lab','0',1796000000000,0,1,X'172AFACA1C696F1ADB3DBA8B75591432');
CREATE TABLE key_fingerprint (
	fingerprint BLOB NOT NULL, 
	credential_id INTEGER NOT NULL, 
	CONSTRAINT pk_key_fingerprint PRIMARY KEY (fingerprint)
)
 WITHOUT ROWID

;
INSERT INTO "key_fingerprint" VALUES(X'08ECFE555FC891F12C56D317BACB091B',1);
INSERT INTO "key_fingerprint" VALUES(X'2545C7E1E9F43D7116DBE3C7CE15E7D3',3);
INSERT INTO "key_fingerprint" VALUES(X'5B9CDA69906253F9F9AA5390DFD9830F',1);
INSERT INTO "key_fingerprint" VALUES(X'626D4176875FFCD53E3B9B65B91BB0A3',3);
INSERT INTO "key_fingerprint" VALUES(X'77F6288B271D96FE0665FFC5DE75E459',3);
INSERT INTO "key_fingerprint" VALUES(X'83BDD8613376FBB707D8DF6947D447FE',2);
INSERT INTO "key_fingerprint" VALUES(X'A014A3A91EB4A100F49B0886C5A91A1D',2);
INSERT INTO "key_fingerprint" VALUES(X'CF60A58BE94B9EC442F55270695C6537',2);
INSERT INTO "key_fingerprint" VALUES(X'DD7B9230A58177B24B851C89C59CC9B5',1);
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
INSERT INTO "key_generation" VALUES(1,1,1,'current',1796000000000,1796000000000,NULL,1,X'C5659A70B82947A1CE5CD936E4B9CBE3');
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
INSERT INTO "key_slot" VALUES(1,'file','file',X'EA005540E259A686',NULL,X'9F288DC1E6E72FBB',X'764936AE4A3F4F6E86ACB4807E2F829841F0CB52306BAE4B059F2ED463287CA744603B88676AB75C8CCBB392BE4AF1593C11E28EEBE7475928B1D5C9',1796000000000,1,X'AE0199F9738E49C7FBCEC2A94F4960FC');
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
INSERT INTO "link_layer_key" VALUES(1,1,1,0,NULL,4,X'E9E6449954EC0A7E0827BC888E97F2DD',X'0100000003E0CB95BD64B46A3DBED0B3793ABE68ADBB4A5C7B8A858524EF018B10719CFDE4BEEEEA2CEF3F7B432C2D6711','generated');
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
INSERT INTO "network" VALUES(1,'lab',1,'2001:db8::/64',NULL,NULL,NULL,NULL,1,32767,NULL,NULL,NULL,0,'rfc9031','known',1796000000000,NULL,1,X'5B69E37592BD293484F9AF4A6956435C');
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
INSERT INTO "network_settings" VALUES(1,0,NULL,NULL,X'80',1796000000000,1,X'247A61407068081AFD7AF9C2373B6AD8');
INSERT INTO "network_settings" VALUES(1,1,NULL,NULL,X'814800124B0000000002',1796000000000,1,X'0D8DDA19D71EC1145459977ADA0F1505');
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
	candidate_id INTEGER, 
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
INSERT INTO "pledge" VALUES(1,X'00124B0000000001','provisioned',NULL,0,'',NULL,1,NULL,NULL,NULL,1796000000000,1796000000000,1,X'57A798B8151BF8D2FB0719482C1BA358');
INSERT INTO "pledge" VALUES(2,X'00124B0000000002','revoked','provisioned',0,'',NULL,2,NULL,NULL,NULL,1796000000000,1796000000000,2,X'3A79EE131D37EBBF4B7CE1607EDB063A');
INSERT INTO "pledge" VALUES(3,X'00124B0000000003','removed',NULL,0,'',NULL,NULL,NULL,NULL,NULL,1796000000000,1796000000000,2,X'3A08C7879EB634734CF354B947CC1769');
CREATE TABLE pledge_network (
	pledge_id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_pledge_network PRIMARY KEY (pledge_id, network_id), 
	CONSTRAINT fk_pledge_network_pledge_id_pledge FOREIGN KEY(pledge_id) REFERENCES pledge (id), 
	CONSTRAINT fk_pledge_network_network_id_network FOREIGN KEY(network_id) REFERENCES network (id)
)
 WITHOUT ROWID

;
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
	waits INTEGER NOT NULL, 
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
CREATE UNIQUE INDEX uq_api_token_name_live ON api_token (name) WHERE revoked_at_ms IS NULL;
CREATE INDEX ix_event_kind ON event (kind, number) WHERE kind <> 'pledge.joined';
CREATE INDEX ix_event_pledge ON event (pledge) WHERE kind <> 'pledge.joined';
CREATE INDEX ix_identity_identifier ON identity (identifier);
CREATE UNIQUE INDEX uq_identity_identifier_live ON identity (identifier) WHERE superseded_at_ms IS NULL;
CREATE UNIQUE INDEX uq_identity_thumbprint_live ON identity (thumbprint) WHERE superseded_at_ms IS NULL;
CREATE INDEX ix_network_domain_id ON network (domain_id);
CREATE UNIQUE INDEX uq_network_name_live ON network (name) WHERE removed_at_ms IS NULL;
CREATE UNIQUE INDEX uq_join_window_open ON join_window (network_id) WHERE closed_at_ms IS NULL;
CREATE INDEX ix_pledge_supersedes_id ON pledge (supersedes_id) WHERE supersedes_id IS NOT NULL;
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
